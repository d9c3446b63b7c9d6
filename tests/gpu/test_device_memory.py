"""What a worker tells of its device's memory; CUDA itself is stood in for, where there is none."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from failsoft.gpu.memory.device_memory import NO_DEVICE, device_memory, memory_at_work


def cuda(*, initialized: bool, reserved: tuple[int, ...] = ()) -> SimpleNamespace:
    """Give what stands in for torch, with so many bytes held on each device, of 100 each."""
    return SimpleNamespace(
        cuda=SimpleNamespace(
            is_initialized=lambda: initialized,
            device_count=lambda: len(reserved),
            memory_reserved=lambda index: reserved[index],
            memory_allocated=lambda index: reserved[index] - 2,
            mem_get_info=lambda index: (90 - reserved[index], 100),
        )
    )


def test_without_torch_there_is_no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """And it isn't imported to find that out."""
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert device_memory() == NO_DEVICE
    assert "torch" not in sys.modules


def test_where_cuda_is_not_in_use_there_is_none_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """To ask would make a context on the device, which takes memory."""
    monkeypatch.setitem(sys.modules, "torch", cuda(initialized=False))
    assert device_memory() == NO_DEVICE


def test_the_device_that_it_holds_most_of_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """What others use of it counts as well: 10 bytes here. What torch only keeps is free."""
    monkeypatch.setitem(sys.modules, "torch", cuda(initialized=True, reserved=(5, 30)))
    memory = device_memory()
    assert memory == (30, 40, 100, 2)
    assert (memory.in_use, memory.available) == (38, 62)
    assert memory_at_work() == memory


def test_the_machine_is_looked_at_where_no_device_is_in_use() -> None:
    """What is in use and what can be had are all there is."""
    memory = memory_at_work()
    assert 0 < memory.held < memory.in_use < memory.total
    assert memory.in_use + memory.available == memory.total
