"""Standby: a spare worker that has loaded the model, and takes over when the first is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from failsoft.actors.model_state import WorkerNumbers
from failsoft.actors.model_worker import ModelWorker
from failsoft.gpu.memory.machine_memory import machine_memory
from failsoft.messages.events import StandbyRefused

if TYPE_CHECKING:
    from failsoft.actors.context import Context

# Of all memory, that stays free when the spare is loaded: a machine at its limit helps nobody.
_KEPT_FREE = 0.1
_LOOK_AGAIN = 10.0
# A load takes processor time from those who are being answered: for so long it gives way to them.
_PATIENCE = 10.0
_LONGEST_WAIT = 60.0
_MIB = 1024 * 1024


class Standby:
    """Keep one spare worker, where there is room for it.

    make: starts a spare. A spare that is lost is followed by another, after 1 s, 2 s, 4 s, up to
    a minute, until one is ready. Nobody waits for it, and so its failures are no failures of the
    model.
    """

    def __init__(self, context: Context, make: Callable[[], ModelWorker]) -> None:
        self._context = context
        self._make = make
        self._worker: ModelWorker | None = None
        self._lost = 0
        self._not_before = 0.0
        self._patient_until = context.clock.now() + _PATIENCE
        self._refused: str | None = None

    def __repr__(self) -> str:
        return f"<Standby {self._worker!r}, {self._lost} lost in a row>"

    @property
    def state(self) -> str:
        """Say how far the spare is; ``none`` where there is none."""
        return "none" if self._worker is None else self._worker.state.value

    @property
    def is_ready(self) -> bool:
        return self._worker is not None and self._worker.is_ready

    def fill(self, beside: ModelWorker, *, is_idle: bool) -> None:
        """Start a spare beside a ready worker, where there is none, it is time, and has room."""
        now = self._context.clock.now()
        if self._worker is not None or now < self._not_before:
            return
        if not is_idle and now < self._patient_until:
            return
        # Where the spare goes to another machine, its own room is for the cluster to see to.
        is_here = beside.node is None
        refused = lacks_room(beside.numbers, *machine_memory()) if is_here else None
        if refused is None:
            self._refused = None
            self._worker = self._make()
            return
        self._not_before = now + _LOOK_AGAIN
        if self._refused is None:
            self._context.publish(StandbyRefused, reason=refused)
        self._refused = refused

    def take(self) -> ModelWorker | None:
        """Take the spare to be the model's worker, however far it is; None where there is none."""
        spare = self._worker
        if spare is not None:
            self._worker = None
            self._lost = 0
            self._patient_until = self._context.clock.now() + _PATIENCE
            spare.is_spare = False
        return spare

    def lost(self, worker: ModelWorker) -> None:
        """Take note that a spare was lost."""
        if worker is self._worker:
            self._worker = None
            wait = min(_LONGEST_WAIT, 2.0**self._lost)
            self._not_before = self._context.clock.now() + wait
            self._lost = min(self._lost + 1, 10)


def lacks_room(numbers: WorkerNumbers, available: int, total: int) -> str | None:
    """Say why there is no room for one more worker with these numbers; None where there is.

    available, total: of the machine, in bytes; 0 where it isn't known, and then it is no reason.
    """
    device_free = numbers.device_total_bytes - numbers.device_used_bytes
    for name, needed, free, whole in (
        ("memory", numbers.rss_bytes, available, total),
        ("the device's memory", numbers.device_bytes, device_free, numbers.device_total_bytes),
    ):
        if whole and free - needed < _KEPT_FREE * whole:
            return (
                f"a spare worker would need {needed / _MIB:.0f} MiB of {name}, of which "
                f"{free / _MIB:.0f} of {whole / _MIB:.0f} are free, and a tenth is kept free"
            )
    return None
