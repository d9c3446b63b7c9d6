"""Faults on command: they go through the same code as real ones."""

from __future__ import annotations

import sys
from typing import Any

import structlog

from failsoft.messages.frames import Inject

_log = structlog.get_logger("failsoft.worker")


class Faults:
    """Make the running request, or else the next one, run out of memory."""

    def __init__(self, *, is_allowed: bool) -> None:
        self._is_allowed = is_allowed
        self._steps_left: int | None = None

    def inject(self, fault: Inject) -> None:
        """Arm ``fault``. One that is not allowed or not known is logged and ignored."""
        if not self._is_allowed:
            _log.warning("a fault was not injected: fault_hooks is off", fault=fault.fault)
        elif fault.fault != "oom":
            _log.warning("a fault was not injected: it is not known", fault=fault.fault)
        else:
            self._steps_left = fault.after_steps

    def before_step(self) -> None:
        """Raise what is due at this step."""
        left = self._steps_left
        if left is None:
            return
        if left > 0:
            self._steps_left = left - 1
            return
        self._steps_left = None
        raise_out_of_memory()


def raise_out_of_memory() -> None:
    """Raise what an engine raises when its device is full: torch's error where torch is here."""
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. (injected)")
    raise MemoryError("out of memory (injected)")
