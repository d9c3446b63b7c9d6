"""Which devices there are, and what is free of each. torch is asked in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import msgspec

from failsoft.gpu.memory.machine_memory import machine_memory

CPU: Final = "cpu"
_REPORT: Final = "failsoft.gpu.loading.device_report"
_PATIENCE: Final = 120.0


class Device(msgspec.Struct, frozen=True):
    """Tell of a device's memory, in bytes; both 0 where it isn't known."""

    name: str
    free: int
    total: int


class DevicesUnknown(Exception):
    """Tell why torch couldn't say which devices there are."""


def machine() -> Device:
    """Look at the machine's own memory, or that of the container around this process."""
    memory = machine_memory()
    return Device(CPU, memory.available, memory.total)


def accelerators() -> list[Device]:
    """Ask torch for its devices, which takes the seconds of its import. Raise DevicesUnknown."""
    try:
        asked = subprocess.run(
            [sys.executable, "-P", "-m", _REPORT],
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
        if asked.returncode == 0:
            return msgspec.json.decode(asked.stdout.splitlines()[-1], type=list[Device])
        said = asked.stderr.decode(errors="replace").strip().splitlines()[-1:]
    except subprocess.TimeoutExpired:
        said = [f"it took over {_PATIENCE:g} s"]
    except (IndexError, msgspec.DecodeError):
        said = ["it gave no list of them"]
    raise DevicesUnknown("".join(said) or "it failed")
