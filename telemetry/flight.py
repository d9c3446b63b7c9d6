"""The flight recorder: keeps the last events, and writes them down when something goes wrong."""

from __future__ import annotations

import asyncio
import itertools
import math
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import structlog

from failsoft.actors import Actor, ExitReason, Subscription, handles
from failsoft.messages import Message, Request
from failsoft.messages.events import SupervisorEscalated
from failsoft.telemetry.daemon_thread import DaemonThread
from failsoft.telemetry.events import FlightWritten
from failsoft.telemetry.flight_file import FlightHeader, file_name, keep_last, write_flight
from failsoft.telemetry.flight_rings import FlightRings, in_order

log = structlog.get_logger("failsoft.flight")

SECONDS_APART: Final = 10.0
FILES_KEPT: Final = 10


class FlightNotWritten(Exception):
    """Tell that the recording couldn't be written, and why. It is an answer, and no failure."""

    is_refusal = True


class DumpFlight(Request[str], frozen=True):
    """Have the recording written; answered with the file's path. path: None: the recorder's own.

    Refused with FlightNotWritten.
    """

    path: str | None = None


class _DumpWanted(Message, frozen=True):
    reason: str


class FlightRecorder(Actor):
    """Record all events, and write them to ``folder`` when a supervisor escalates.

    A supervisor tells that it has escalated when its children have ended: to hear of the root's,
    the recorder must not be below the root. It belongs at the top, beside the tree.

    rings: where events are kept; made outside of the actor, they go on after a restart.
    signals: write at these too, say ``(signal.SIGUSR1,)``; whatever handled them before does so
        again when this ends. Without them, no signal is touched.
    keep: how many files stay in the folder. seconds_apart: the least between two that nobody
        asked for; an escalation that comes sooner is written then.
    wall_clock: gives seconds since the epoch.
    """

    def __init__(
        self,
        folder: Path | str,
        rings: FlightRings | None = None,
        *,
        signals: Sequence[signal.Signals] = (),
        keep: int = FILES_KEPT,
        seconds_apart: float = SECONDS_APART,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        if keep < 1 or not seconds_apart >= 0:
            raise ValueError("keep must be at least 1, and seconds_apart at least 0 s")
        self._folder = Path(folder)
        self._rings = rings or FlightRings()
        self._signals = tuple(signals)
        self._keep = keep
        self._seconds_apart = seconds_apart
        self._wall_clock = wall_clock
        self._thread = DaemonThread("failsoft flight")
        self._numbers = itertools.count(1)
        self._subscriptions: list[Subscription] = []
        self._before: dict[signal.Signals, Any] = {}
        self._wanted: str | None = None
        self._last = -math.inf
        self._files = 0

    async def on_start(self) -> None:
        self._rings.begin(self.context.clock.now())
        bus = self.context.system.events
        # Not by mailbox: that costs ten times as much, and in a storm of events loses some.
        self._subscriptions = [
            bus.subscribe(self._rings.add),
            bus.subscribe(self._escalated, SupervisorEscalated),
        ]
        for sent in self._signals:
            self._heed(sent)

    async def on_stop(self, reason: ExitReason) -> None:
        for subscription in self._subscriptions:
            subscription.cancel()
        for sent, before in self._before.items():
            asyncio.get_running_loop().remove_signal_handler(sent)
            signal.signal(sent, before)
        if self._wanted is not None:
            await self._dump_unasked(self._wanted)

    def inspect(self) -> dict[str, Any]:
        counts = self._rings.statistics()
        return {"seen": counts.seen, "kept": counts.kept, "files": self._files}

    # -- when it is written

    def _heed(self, sent: signal.Signals) -> None:
        before = signal.getsignal(sent)
        try:
            asyncio.get_running_loop().add_signal_handler(sent, self._want, sent.name, 0.0)
        except (RuntimeError, ValueError) as error:
            raise RuntimeError(
                f"the flight recorder can't heed {sent.name} here ({error}); leave out signals, "
                "or run the system in the main thread"
            ) from error
        self._before[sent] = signal.SIG_DFL if before is None else before

    def _escalated(self, event: SupervisorEscalated) -> None:
        wait = max(0.0, self._last + self._seconds_apart - self.context.clock.now())
        self._want(f"{event.path} escalated", wait)

    def _want(self, reason: str, wait: float) -> None:
        if self._wanted is None:
            self._wanted = reason
            self.context.send_after(wait, _DumpWanted(reason))

    @handles(_DumpWanted)
    async def _dump_wanted(self, message: _DumpWanted) -> None:
        self._wanted = None
        self._last = self.context.clock.now()
        await self._dump_unasked(message.reason)

    async def _dump_unasked(self, reason: str) -> None:
        try:
            await self._dump(reason, None)
        except FlightNotWritten as error:
            log.warning("flight.not_written", why=reason, reason=str(error))

    @handles(DumpFlight)
    async def _dump_asked(self, request: DumpFlight) -> str:
        return await self._dump("asked for", request.path)

    async def _dump(self, reason: str, to: str | None) -> str:
        written = self._wall_clock()
        path = Path(to) if to else self._folder / file_name(written, next(self._numbers))
        header = FlightHeader(
            reason=reason,
            began=self._rings.began,
            at=self.context.clock.now(),
            written=written,
            seen=self._rings.statistics().seen,
            dropped=self._rings.dropped(),
        )
        entries = self._rings.entries()

        def write() -> None:
            write_flight(path, header, in_order(entries))
            if to is None:
                keep_last(self._folder, self._keep)

        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, write)
        except OSError as error:
            raise FlightNotWritten(f"{path} can't be written: {error.strerror or error}") from error
        self._files += 1
        self.context.publish(FlightWritten, file=str(path), reason=reason)
        return str(path)
