"""Faults on purpose: what a demo or a test tells a model actor to break."""

from __future__ import annotations

from failsoft.messages.request import Control

_MOST_STEPS = 1_000_000


class InjectFault(Control, frozen=True):
    """Have a fault happen in the worker; heeded only where its spec has ``fault_hooks``.

    See ``failsoft.messages.frames.Inject``. Raises ValueError where it can't be one.
    """

    fault: str
    after_steps: int = 0

    def __post_init__(self) -> None:
        if not self.fault.isidentifier() or not 0 <= self.after_steps <= _MOST_STEPS:
            raise ValueError(
                f"a fault has a name, such as 'oom', and happens within {_MOST_STEPS} steps; "
                f"these are {self.fault!a} and {self.after_steps}"
            )
