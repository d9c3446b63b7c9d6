"""Faults on command: they go through the same code as real ones."""

from __future__ import annotations

import sys
from collections import deque
from typing import Any

import structlog

from failsoft.messages.frames import Inject

_log = structlog.get_logger("failsoft.worker")


_MOST_ARMED = 64


class Faults:
    """Make the requests in work, or else the next ones, run out of memory.

    Of several faults that are armed, each counts its steps from when the one before it was raised.
    """

    def __init__(self, *, is_allowed: bool) -> None:
        self._is_allowed = is_allowed
        self._steps_left: deque[int] = deque(maxlen=_MOST_ARMED)

    def inject(self, fault: Inject) -> None:
        """Arm ``fault``. One that is not allowed or not known is logged and ignored."""
        if not self._is_allowed:
            _log.warning("a fault was not injected: fault_hooks is off", fault=fault.fault)
        elif fault.fault != "oom":
            _log.warning("a fault was not injected: it is not known", fault=fault.fault)
        else:
            self._steps_left.append(fault.after_steps)

    def before_step(self) -> None:
        """Raise what is due at this step."""
        if not self._steps_left:
            return
        if self._steps_left[0] > 0:
            self._steps_left[0] -= 1
            return
        self._steps_left.popleft()
        raise_out_of_memory()


def raise_out_of_memory() -> None:
    """Raise what an engine raises when its device is full: torch's error where torch is here."""
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. (injected)")
    raise MemoryError("out of memory (injected)")
