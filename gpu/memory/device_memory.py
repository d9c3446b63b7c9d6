"""How much memory is in use where this process works: of its device, or of the machine."""

from __future__ import annotations

import gc
import sys
from typing import Any, NamedTuple

from failsoft.gpu.memory.machine_memory import machine_memory
from failsoft.gpu.memory.process_memory import rss_bytes


class DeviceMemory(NamedTuple):
    """Tell of a device's memory, in bytes; all 0 where the process uses no device.

    held: by torch in this process, its cache included. used: by whomever. total: what it has.
    cached: of what is held, what torch keeps for itself and gives back when it is needed.
    """

    held: int
    used: int
    total: int
    cached: int = 0

    @property
    def in_use(self) -> int:
        return self.used - self.cached

    @property
    def available(self) -> int:
        return self.total - self.in_use


NO_DEVICE = DeviceMemory(0, 0, 0)


def device_memory() -> DeviceMemory:
    """Look at the device that this process holds most memory of. Imports no torch for it."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return NO_DEVICE
    held = {index: torch.cuda.memory_reserved(index) for index in range(torch.cuda.device_count())}
    return cuda_memory(max(held, key=held.__getitem__))


def cuda_memory(index: int) -> DeviceMemory:
    """Look at one CUDA device. torch must be imported; its context is made where it isn't yet."""
    torch: Any = sys.modules["torch"]
    free, total = torch.cuda.mem_get_info(index)
    held = torch.cuda.memory_reserved(index)
    return DeviceMemory(held, total - free, total, held - torch.cuda.memory_allocated(index))


def memory_of_machine() -> DeviceMemory:
    """Look at the memory of the machine, or of the container around this process."""
    available, total = machine_memory()
    return DeviceMemory(rss_bytes(), total - available, total)


def memory_at_work() -> DeviceMemory:
    """Look at the device where this process uses one, else at the machine."""
    device = device_memory()
    return device if device.total else memory_of_machine()


def free_cache() -> None:
    """Give back what torch keeps of memory that nobody uses any more."""
    gc.collect()
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
