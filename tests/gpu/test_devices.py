"""Which devices there are: asked of torch, in a process of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from failsoft.gpu.memory import devices
from failsoft.gpu.memory.devices import Device, DevicesUnknown, accelerators, machine


def test_the_machine_has_memory() -> None:
    """Of which some is free."""
    here = machine()
    assert here.name == "cpu"
    assert 0 < here.free <= here.total


@pytest.mark.cuda
def test_a_cuda_device_is_told() -> None:
    """With its memory."""
    first = accelerators()[0]
    assert first.name == "cuda:0"
    assert 0 < first.free <= first.total


def test_each_device_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its number, with what is free of it."""
    torch: Any = pytest.importorskip("torch")
    from failsoft.gpu.loading import device_report

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (index + 1, 10))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    device_report.main()
    told = [Device(**each) for each in json.loads(capsys.readouterr().out)]
    assert told == [Device("cuda:0", 1, 10), Device("cuda:1", 2, 10)]


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("failsoft.there_is_no_such_module", "No module named failsoft.there_is_no_such_module"),
        ("this", "it gave no list of them"),
    ],
)
def test_what_cannot_be_asked_is_told(
    monkeypatch: pytest.MonkeyPatch, program: str, said: str
) -> None:
    """Where torch isn't installed, say."""
    monkeypatch.setattr(devices, "_REPORT", program)
    with pytest.raises(DevicesUnknown, match=said):
        accelerators()


def test_whoever_takes_too_long_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended."""
    monkeypatch.setattr(devices, "_REPORT", "timeit")
    monkeypatch.setattr(devices, "_PATIENCE", 0.01)
    with pytest.raises(DevicesUnknown, match="it took over"):
        accelerators()
