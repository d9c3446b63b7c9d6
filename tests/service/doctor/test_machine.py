"""The doctor's checks of a machine: each sees what is well, what may go wrong, and what is."""

from __future__ import annotations

from pathlib import Path

import pytest

from failsoft.gpu import WorkerSpec
from failsoft.gpu.memory.devices import Device
from failsoft.gpu.memory.machine_memory import MachineMemory
from failsoft.gpu.scripted import scripted
from failsoft.messages import InferenceError, OutOfMemory
from failsoft.service.doctor import machine, packages
from failsoft.service.doctor.finding import Finding
from failsoft.service.doctor.wire_errors import errors_mapped, known_errors
from failsoft.service.doctor.worker import worker_starts

GIB = 1 << 30
REQUIREMENTS = [
    "msgspec>=0.19",
    "Torch_Like>=2.6; extra == 'torch'",
    "gguf; extra == 'torch'",
    "failsoft[torch]; extra == 'image'",
    "diffusers>=0.42; extra == 'image'",
    "uvloop>=0.19; sys_platform != 'win32' and extra == \"serve\"",
    "pytest>=9; extra == 'dev'",
]


def told(finding: Finding) -> tuple[str, str]:
    """Give a finding's level, and what was found; whatever isn't well says what to do."""
    assert bool(finding.remedy) == (finding.level != "ok")
    return finding.level, finding.found


@pytest.mark.parametrize(
    ("version", "level"), [((3, 11, 0), "ok"), ((3, 14, 1), "ok"), ((3, 10, 9), "fail")]
)
def test_python(version: tuple[int, ...], level: str) -> None:
    """Of a version that is too old, nothing else can be said."""
    assert told(machine.python(version))[0] == level


@pytest.mark.parametrize(
    ("installed", "level"),
    [({"uvloop", "httptools"}, "ok"), ({"httptools"}, "warn")],
)
def test_event_loop(installed: set[str], level: str) -> None:
    """Without uvloop all works, and slower."""
    assert told(machine.event_loop(installed))[0] == level


@pytest.mark.parametrize(("soft", "level"), [(65536, "ok"), (1024, "warn"), (64, "fail")])
def test_descriptors(soft: int, level: str) -> None:
    """A connection takes one, a worker some."""
    assert told(machine.descriptors(soft, 1_000_000))[0] == level


@pytest.mark.parametrize(
    ("is_writable", "free", "level", "found"),
    [
        (True, 2 * GIB, "ok", "/tmp: 2.0 GiB free"),
        (True, GIB // 4, "warn", "/tmp: 256 MiB free"),
        (False, 2 * GIB, "fail", "/tmp can't be written to"),
    ],
)
def test_a_folder(is_writable: bool, free: int, level: str, found: str) -> None:
    """One that can't be written to is worse than one that is nearly full."""
    finding = machine.folder_space("space", Path("/tmp"), is_writable=is_writable, free=free)
    assert told(finding) == (level, found)


@pytest.mark.parametrize(
    ("available", "total", "level"), [(4, 8, "ok"), (1, 16, "warn"), (0, 0, "warn")]
)
def test_memory(available: int, total: int, level: str) -> None:
    """That what is free isn't known is worth a word."""
    finding = machine.memory(MachineMemory(available * GIB, total * GIB))
    assert told(finding)[0] == level


@pytest.mark.parametrize(
    ("found", "has_hardware", "level", "said"),
    [
        ([], False, "ok", "no GPU; models run on the CPU"),
        ([Device("cuda:0", GIB, 2 * GIB)], True, "ok", "cuda:0, 1.0 GiB free of 2.0 GiB"),
        ([], True, "warn", "there is a GPU, and torch sees none"),
        ("it was killed", True, "fail", "torch can't be asked: it was killed"),
    ],
)
def test_devices(found: list[Device] | str, has_hardware: bool, level: str, said: str) -> None:
    """A GPU that torch can't use is the likeliest mistake of a new machine."""
    assert told(machine.devices(found, has_hardware=has_hardware)) == (level, said)


def test_what_is_needed_is_read_from_the_metadata() -> None:
    """By extra; what only developers need isn't looked at."""
    assert packages.needs(REQUIREMENTS) == {
        "": (packages.Need("msgspec", "0.19"),),
        "torch": (packages.Need("Torch_Like", "2.6"), packages.Need("gguf")),
        "image": (packages.Need("diffusers", "0.42"),),
        "serve": (packages.Need("uvloop", "0.19"),),
    }


@pytest.mark.parametrize(
    ("installed", "is_used", "level", "found"),
    [
        ({"torch.like": "2.13.0+cpu", "GGUF": "1"}, True, "ok", "Torch_Like 2.13.0+cpu, gguf 1"),
        ({"torch-like": "2.6", "gguf": "1"}, True, "ok", "Torch_Like 2.6, gguf 1"),
        ({}, False, "ok", "not installed"),
        ({}, True, "fail", "Torch_Like is not installed"),
        ({"torch-like": "2.6"}, True, "fail", "gguf is not installed"),
        ({"torch-like": "2.6"}, False, "warn", "gguf is not installed"),
        (
            {"torch-like": "2.5.9", "gguf": "1"},
            True,
            "fail",
            "Torch_Like 2.5.9 is too old; it must be 2.6 or newer",
        ),
    ],
)
def test_an_extra(installed: dict[str, str], is_used: bool, level: str, found: str) -> None:
    """What isn't used needn't be there, and is worth a word where half of it is."""
    needed = packages.needs(REQUIREMENTS)["torch"]
    there = packages.canonical(installed)
    assert told(packages.extra_installed("torch", needed, there, is_used=is_used)) == (level, found)


class Unregistered(InferenceError):
    """Be an error of somebody's own that no wire knows."""

    kind = "quota_exceeded"


class Twice(OutOfMemory):
    """Be another error by the same kind."""


def test_all_errors_are_mapped() -> None:
    """Each of the ten kinds: a status, both bodies, and its way over the wire."""
    assert len(known_errors()) == 10
    assert told(errors_mapped(known_errors()))[0] == "ok"


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (Unregistered, "quota_exceeded is another error once it has come from a worker"),
        (Twice, "out_of_memory is two errors"),
    ],
)
def test_an_error_that_is_not_mapped(error: type[InferenceError], found: str) -> None:
    """Callers couldn't tell it from another."""
    finding = errors_mapped((*known_errors(), error))
    assert told(finding)[0] == "fail"
    assert found in finding.found


@pytest.mark.anyio
async def test_a_worker_is_made() -> None:
    """From the template, whatever is imported there."""
    level, found = told(await worker_starts(scripted(preload=("json",))))
    assert level == "ok"
    assert found.startswith("one was made, with json imported, answered and ended in ")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("worker", "said"),
    [
        (WorkerSpec(engine="no_such_module:Engine"), "no_such_module"),
        (scripted(preload=("no_such_module",)), "no_such_module"),
    ],
)
async def test_a_worker_that_cannot_be_made(worker: WorkerSpec, said: str) -> None:
    """Is told by its cause."""
    level, found = told(await worker_starts(worker))
    assert level == "fail"
    assert said in found
