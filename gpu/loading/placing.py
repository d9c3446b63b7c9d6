"""Place a model: choose its device and dtype, and see that it has room there.

Imports torch: only a worker process imports this module.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from failsoft.gpu.loading.model_source import ModelSource
from failsoft.gpu.memory.device_choice import one_chooses
from failsoft.gpu.memory.device_memory import cuda_memory, memory_of_machine
from failsoft.gpu.memory.model_size import model_bytes
from failsoft.gpu.memory.room import has_room

_MIB = 1024 * 1024

Dtype = torch.dtype | str
"""``auto``, as a text, is the one that the weights are stored in."""


def place(
    source: ModelSource,
    dtype_on: Callable[[torch.device], Dtype],
    variant: str | None = None,
) -> tuple[torch.device, Dtype]:
    """Give the device and the dtype for a model, whose room is taken from here on.

    Where its size isn't known, nothing is taken, and it is never refused for it.
    Raises ModelLoadingFailed.
    """
    if not 0 < source.max_memory_share <= 1:
        raise source.failure(
            f"max_memory_share must be over 0 and at most 1; it is {source.max_memory_share}"
        )
    with one_chooses():
        device = source.chosen_device()
        dtype = dtype_on(device)
        needed = model_bytes(
            source.model,
            dtype=str(dtype).removeprefix("torch."),
            gguf_file=source.gguf_file,
            variant=variant,
        )
        if needed is not None:
            _check_room(source, device, needed)
            _take_room(source, device, needed)
    return device, dtype


def _check_room(source: ModelSource, device: torch.device, needed: int) -> None:
    memory = cuda_memory(device.index or 0) if device.type == "cuda" else memory_of_machine()
    if has_room(memory, needed, source.max_memory_share):
        return
    where = "this machine" if device.type == "cpu" else f"device '{device}'"
    raise source.failure(
        f"it needs {needed // _MIB} MiB, and {where} has {memory.available // _MIB} MiB free of "
        f"{memory.total // _MIB} MiB, of which at most {source.max_memory_share:.0%} may be in "
        "use; use a smaller model or dtype, another device, or a larger max_memory_share",
        needed_mb=needed // _MIB,
        memory_available_mb=memory.available // _MIB,
        memory_total_mb=memory.total // _MIB,
        device=str(device),
    )


def _take_room(source: ModelSource, device: torch.device, needed: int) -> None:
    """Have the others see that the room is taken, before the weights are there.

    What is freed here stays in torch's cache, and the weights go there.
    """
    if device.type == "cuda":
        with source.loading("model"):
            torch.empty(needed, dtype=torch.uint8, device=device)
