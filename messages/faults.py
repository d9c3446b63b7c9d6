"""Faults on purpose: what a demo or a test tells a model actor to break."""

from __future__ import annotations

from failsoft.messages.request import Control


class InjectFault(Control, frozen=True):
    """Have a fault happen in the worker; heeded only where its spec has ``fault_hooks``.

    See ``failsoft.messages.frames.Inject``.
    """

    fault: str
    after_steps: int = 0
