"""The service's handle of a worker on another machine: its wire, and its keeper's word."""

from __future__ import annotations

import asyncio
import math
import secrets
import signal
import socket
import time

import msgspec

from failsoft.gpu.cluster.clock_offset import ClockOffset
from failsoft.gpu.cluster.cluster_host import ClusterHost
from failsoft.gpu.cluster.connect import connect
from failsoft.gpu.cluster.handshake import CONTROL, KEY_BYTES, WIRE
from failsoft.gpu.cluster.keeper_address import KeeperOrder
from failsoft.gpu.cluster.places import Place, PlaceError
from failsoft.gpu.cluster.reach import Reach
from failsoft.gpu.cluster.words import (
    Beat,
    Beaten,
    Born,
    Exited,
    NotBorn,
    Printed,
    Signal,
    Word,
    word_reader,
)
from failsoft.gpu.handle.listener import WorkerListener
from failsoft.gpu.handle.liveness import Liveness
from failsoft.gpu.handle.own_process import OwnProcess
from failsoft.gpu.placement import Placement
from failsoft.gpu.process.links import WireLink
from failsoft.gpu.process.worker_log import LineCutter, parse_line
from failsoft.gpu.worker_spec import WorkerSpec
from failsoft.messages.errors import ModelLoadingFailed
from failsoft.messages.frames import Command, LoadFailed, Ready, Report, Run, Timed

# How long a keeper may take to tell the end of a worker that it was told to kill.
_KILL_LIMIT = 2.0
# The wire and the keeper's word come by two ways: the end of one may be ahead of the other's. So
# long the word is waited for, after all has come that was under way before it.
_LAST_WORD_LIMIT = 1.0
_UNWANTED = "it is no longer wanted"
_CLOSED = "its host was closed"


class ClusterWorker(OwnProcess):
    """Run one worker at a place that another machine gives.

    What can't be told any more because the network is cut ends on its side by itself: see
    ``Placement.silence_limit``.
    """

    _home = "place on another machine"

    def __init__(
        self,
        spec: WorkerSpec,
        placement: Placement,
        host: ClusterHost,
        listener: WorkerListener,
    ) -> None:
        super().__init__(spec, listener)
        self._placement = placement
        self._host = host
        self._place: Place | None = None
        self._control: WireLink | None = None
        self._lines = LineCutter()
        self._clock = ClockOffset()
        self._asking: asyncio.Future[Place] | None = None
        self._beating: asyncio.TimerHandle | None = None
        self._has_exited = False
        self._awaits_word = False
        self._wire_ended_at = math.inf
        self._is_out_of_reach = False
        self._early: Ready | None = None
        self._received = 0

    def __repr__(self) -> str:
        where = "nowhere yet" if self._place is None else self._place.address.host
        return (
            f"<ClusterWorker {self._pid} at {where}, {self._state}, {len(self._running)} running>"
        )

    @property
    def node(self) -> str | None:
        """Give the address of its machine; None before it has a place."""
        return None if self._place is None else self._place.address.host

    async def _make(self) -> None:
        try:
            await self._reach_one()
        except asyncio.CancelledError:
            self.kill("its start was cancelled")
            raise

    async def _reach_one(self) -> None:
        """Find a place, and connect to the keeper there, whose worker then loads."""
        silence_limit = self._placement.silence_limit
        order = KeeperOrder(secrets.token_bytes(KEY_BYTES), silence_limit)
        place = await self._find_place(order)
        # The cluster may take its time, and a load begins only now.
        self._liveness = Liveness(self._spec, self._loop.time())
        control = await self._connect(place, order, CONTROL)
        self._control = WireLink(
            self._loop, control, self._on_word, self._on_control_broken, word_reader()
        )
        wire = await self._connect(place, order, WIRE)
        self._wire = WireLink(self._loop, wire, self._on_report, self._on_wire_broken)
        self._wire.send(self._load_order())
        self._reach = Reach(silence_limit, time.monotonic())
        self._beat()

    async def _find_place(self, order: KeeperOrder) -> Place:
        self._asking = asyncio.ensure_future(self._host.place(self._placement, order))
        self._asking.add_done_callback(self._take_place)
        try:
            return await self._asking
        except PlaceError as error:
            if error.is_final and not self._gone.is_set():
                self._tell(LoadFailed(ModelLoadingFailed(str(error)).info))
            raise
        except asyncio.CancelledError:
            if self._gone.is_set():
                raise PlaceError(_UNWANTED) from None
            raise

    def _take_place(self, asking: asyncio.Future[Place]) -> None:
        """Hold what was found, whether somebody still waits for it or not."""
        if asking.cancelled() or asking.exception() is not None:
            return
        self._place = asking.result()
        if self._gone.is_set():
            self._place.release()

    async def _connect(self, place: Place, order: KeeperOrder, purpose: bytes) -> socket.socket:
        end = await connect(place.address, order, purpose)
        if self._gone.is_set():
            end.close()
            raise PlaceError(_UNWANTED)
        return end

    def send(self, command: Command) -> None:
        """Send ``command``, as ``FollowedWorker.send`` does; a deadline in the worker's time."""
        if isinstance(command, Run) and command.deadline is not None:
            deadline = command.deadline + self._clock.least
            command = msgspec.structs.replace(command, deadline=deadline)
        super().send(command)

    def _kill(self) -> None:
        if self._control is None or self._is_out_of_reach:
            self._loop.call_soon(self._finish)
            return
        self._signal(signal.SIGKILL)
        self._later(_KILL_LIMIT, self._finish_unless_word_comes)

    def _finish_unless_word_comes(self) -> None:
        # It comes, or has come, and what the wire brings is heard out.
        if not (self._awaits_word or self._has_exited):
            self._finish()

    def _signal(self, number: signal.Signals) -> None:
        if self._control is not None:
            self._control.send(Signal(number), at_once=True)

    def _can_be_asked(self) -> bool:
        return self._wire is not None

    # -- what the worker says

    def _on_report(self, report: Report) -> None:
        if isinstance(report, Timed):
            report = self._in_our_time(report)
        if isinstance(report, Ready) and not self._clock.is_known:
            # A deadline could not be told yet.
            self._early = report
        else:
            super()._on_report(report)

    def _in_our_time(self, timed: Timed) -> Timed:
        times = (timed.arrived, timed.began, timed.shown, timed.ended)
        offset = self._clock.seconds
        arrived, began, shown, ended = (None if at is None else at - offset for at in times)
        return msgspec.structs.replace(
            timed, arrived=arrived, began=began, shown=shown, ended=ended
        )

    def _on_wire_broken(self, reason: str) -> None:
        if self._has_exited:
            self._loop.call_soon(self._finish)
        elif self._wire is not None and self._wire.has_ended:
            # Before a sign that is asked for now comes all that its keeper had said, much as that
            # may be on a slow network.
            self._awaits_word = True
            self._wire_ended_at = time.monotonic()
            self._ask_for_a_sign()
        else:
            self.kill(reason)

    # -- what its keeper says

    def _on_word(self, word: Word) -> None:
        match word:
            case Beaten(at, clock):
                now = time.monotonic()
                self._reach.heard(now)
                self._clock.observe(at, clock, now)
                self._learn_clock()
                if at >= self._wire_ended_at:
                    self._wire_ended_at = math.inf
                    self._later(_LAST_WORD_LIMIT, self._miss_word)
            case Born(pid):
                self._pid = pid
            case NotBorn(reason):
                self._reason = self._reason or reason
                self._loop.call_soon(self._finish)
            case Printed(data):
                for line in self._lines.feed(data):
                    self._on_line(parse_line(line))
            case Exited(status):
                self._status, self._has_exited = status, True
                self._hear_out()

    def _hear_out(self, heard: int = -1) -> None:
        """Finish once the wire has ended, too, or has long brought nothing.

        A network may be slow, or away for a while; what was sent is under way all the same.
        """
        wire = self._wire
        if wire is None or wire.has_ended or wire.received == heard:
            self._loop.call_soon(self._finish)
        else:
            received = wire.received
            self._later(self._placement.silence_limit, lambda: self._hear_out(received))

    def _miss_word(self) -> None:
        self._awaits_word = False
        self.kill("it closed its wire")

    def _learn_clock(self) -> None:
        """Ask again at once while too little is known; then the worker may be ready."""
        if not self._clock.is_known:
            self._ask_for_a_sign()
        elif self._early is not None:
            early, self._early = self._early, None
            self._on_report(early)

    def _on_control_broken(self, reason: str) -> None:
        if not self._has_exited:
            self._lose(f"its keeper is gone: {reason}")

    def _beat(self) -> None:
        """Ask for a sign of life, and see that there was one, until its worker has ended."""
        if self._has_exited:
            return
        received = 0 if self._control is None else self._control.received
        reason = self._reach.check(time.monotonic(), received)
        if reason is not None:
            self._lose(reason)
        else:
            self._ask_for_a_sign()
            self._beating = self._loop.call_later(self._reach.every, self._beat)

    def _ask_for_a_sign(self) -> None:
        if self._control is not None:
            self._control.send(Beat(time.monotonic()), at_once=True)

    def _lose(self, reason: str) -> None:
        self._is_out_of_reach = True
        self.kill(_CLOSED if self._host.is_closed else reason)

    # -- its end

    def _part(self) -> None:
        if self._host.is_closed:
            self._was_asked = True
            self._reason = self._reason or _CLOSED
        if self._asking is not None:
            self._asking.cancel()
        if self._beating is not None:
            self._beating.cancel()
        for link in (self._wire, self._control):
            if link is not None:
                link.drain()
                link.close()
        for line in self._lines.flush():
            self._on_line(parse_line(line))
        if self._place is not None:
            self._place.release()

    def _check(self) -> None:
        wire = self._wire
        if self._place is None or self._has_exited or (wire is not None and wire.has_ended):
            # There is no worker yet, or none that could give a sign of life.
            self._check_later()
            return
        if wire is not None and wire.received > self._received:
            self._received = wire.received
            # What a large frame tells has happened, however long a slow network takes for it, and
            # heartbeats are behind it.
            if wire.is_amid_frame:
                self._liveness.move(self._loop.time())
        super()._check()
