"""What the machine gives the service. Sizes are in bytes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from failsoft.gpu.memory.devices import Device
from failsoft.gpu.memory.machine_memory import MachineMemory
from failsoft.service.doctor.finding import Finding, fail, ok, warn

_OLDEST_PYTHON: Final = (3, 11)
# A connection takes one, a worker four.
_FEW_DESCRIPTORS: Final = 4096
_TOO_FEW_DESCRIPTORS: Final = 256
_MIB: Final = 1 << 20
_GIB: Final = 1 << 30
_SCARCE_SHARE: Final = 0.1


def python(version: tuple[int, ...]) -> Finding:
    """Check Python's version."""
    said = "Python " + ".".join(map(str, version))
    if version < _OLDEST_PYTHON:
        return fail("python", said, "Use Python 3.11 or newer.")
    return ok("python", said)


def event_loop(installed: Collection[str]) -> Finding:
    """Check that the fast loop is there."""
    if "uvloop" not in installed:
        said = "uvloop is not installed; the service works, and slower"
        return warn("event loop", said, "pip install 'failsoft[serve]'")
    return ok("event loop", "uvloop is used")


def descriptors(soft: int, hard: int) -> Finding:
    """Check how many files and connections a process may have open."""
    found = f"{soft} may be open at a time"
    raised = "Raise the limit: LimitNOFILE= of the systemd unit, or `ulimit -n 65536`"
    remedy = f"{raised} (up to {hard} without root)."
    if soft < _TOO_FEW_DESCRIPTORS:
        return fail("open files", found, remedy)
    if soft < _FEW_DESCRIPTORS:
        return warn("open files", f"{found}; a connection takes one, a worker four", remedy)
    return ok("open files", found)


def folder_space(check: str, folder: Path, *, is_writable: bool, free: int) -> Finding:
    """Check a folder that is written to."""
    if not is_writable:
        return fail(check, f"{folder} can't be written to", "Mount it writable, or name another.")
    if free < _GIB:
        return warn(check, f"{folder}: {size(free)} free", "Make room, or name another folder.")
    return ok(check, f"{folder}: {size(free)} free")


def memory(machine: MachineMemory) -> Finding:
    """Check what of the machine's memory is free, or of the container's."""
    if not machine.total:
        return warn("memory", "not known here", "Watch it yourself; no load is refused for it.")
    found = f"{size(machine.available)} free of {size(machine.total)}"
    if machine.available < _SCARCE_SHARE * machine.total:
        return warn("memory", found, "Make room: a model is loaded only where it fits.")
    return ok("memory", found)


def devices(found: Sequence[Device] | str, *, has_hardware: bool) -> Finding:
    """Check that what there is of GPUs can be used. found: torch's devices, or why it has none.

    has_hardware: the driver of a GPU is loaded.
    """
    if isinstance(found, str):
        remedy = "See what `python -c 'import torch'` says."
        return fail("devices", f"torch can't be asked: {found}", remedy)
    if found:
        said = (f"{each.name}, {size(each.free)} free of {size(each.total)}" for each in found)
        return ok("devices", "; ".join(said))
    if has_hardware:
        return warn(
            "devices",
            "there is a GPU, and torch sees none",
            "Install a build of torch for it, with a driver that is new enough.",
        )
    return ok("devices", "no GPU; models run on the CPU")


def size(count: int) -> str:
    """Write a number of bytes."""
    return f"{count / _GIB:.1f} GiB" if count >= _GIB else f"{count / _MIB:.0f} MiB"
