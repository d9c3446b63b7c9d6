"""An engine that does to a CUDA device what models do to it when all goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, ClassVar

from failsoft.messages import GenerateText, TextReply, Usage


class CudaEngine:
    """Hold ``held_bytes`` of the device; the prompt says what to do with it."""

    requests: ClassVar[tuple[type, ...]] = (GenerateText,)

    def __init__(self, *, held_bytes: int = 0) -> None:
        self._held_bytes = held_bytes
        self._held: Any = None

    def load(self, progress: Callable[[int, int], None]) -> dict[str, Any]:
        import torch

        self._held = torch.ones(self._held_bytes, dtype=torch.uint8, device="cuda")
        return {"device": torch.cuda.get_device_name()}

    def generate(self, request: GenerateText) -> Generator[None, None, TextReply]:
        import torch

        yield None
        if request.prompt == "too much":
            torch.empty(1 << 50, dtype=torch.uint8, device="cuda")
        if request.prompt == "assert":
            four = torch.zeros(4, device="cuda")
            four[torch.tensor([10], device="cuda")].sum().item()
        return TextReply(f"{torch.ones(2, device='cuda').sum().item():g}", "stop", Usage(1, 1))

    def unload(self) -> None:
        self._held = None
