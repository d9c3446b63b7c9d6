"""How much of the memory of this process's device is in use."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple


class DeviceMemory(NamedTuple):
    """Tell of a device's memory, in bytes; all 0 where the process uses no device.

    held: by torch in this process, its cache included. used: by whomever. total: what it has.
    """

    held: int
    used: int
    total: int


NO_DEVICE = DeviceMemory(0, 0, 0)


def device_memory() -> DeviceMemory:
    """Look at the device that this process holds most memory of. Imports no torch for it."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return NO_DEVICE
    held = {index: torch.cuda.memory_reserved(index) for index in range(torch.cuda.device_count())}
    index = max(held, key=held.__getitem__)
    free, total = torch.cuda.mem_get_info(index)
    return DeviceMemory(held[index], total - free, total)
