"""Work on requests step by step, as many at once as the engine takes; end each exactly once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any

import msgspec
import structlog

from failsoft.gpu.engine import Batches, Step
from failsoft.gpu.memory.room import MemoryGuard
from failsoft.gpu.serving.classify import classify, is_sticky
from failsoft.gpu.serving.faults import Faults
from failsoft.gpu.serving.inbox import Inbox, Order
from failsoft.gpu.serving.pulse import Pulse
from failsoft.gpu.serving.turns import Turns
from failsoft.gpu.serving.wire_end import WireEnd
from failsoft.messages.errors import (
    Cancelled,
    GenerationFailed,
    InferenceError,
    InferenceTimeout,
    InvalidInput,
)
from failsoft.messages.frames import Began, Chunk, Done, Failed, Timed
from failsoft.messages.wire import WireError, raw

_log = structlog.get_logger("failsoft.worker")
# Of a step's time, and seconds for the way back.
_LEEWAY = 1.2
_MARGIN = 0.002
_UNSENDABLE = (TypeError, ValueError, OverflowError, RecursionError, WireError)
# What an engine raises is an answer, and never ends the process.
_FAULTS = (Exception, SystemExit)


class RequestReader:
    """Decode the requests that an engine takes. Raise TypeError where their types clash."""

    def __init__(self, requests: Sequence[type]) -> None:
        self._names = ", ".join(type.__name__ for type in requests)
        self._decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(reduce(or_, requests))

    def read(self, request: msgspec.Raw) -> Any:
        """Give the request. Raise InvalidInput where it is none of the engine's."""
        try:
            return self._decoder.decode(request)
        except msgspec.DecodeError as error:
            said = f"{error}; this model takes {self._names}"
            raise InvalidInput.in_fields({"request": said}) from error


class Answering:
    """Have ``engine`` answer what is in ``inbox``.

    held: the request that the engine has no room for yet, though it was offered.
    """

    def __init__(
        self,
        engine: Batches,
        reader: RequestReader,
        inbox: Inbox,
        wire: WireEnd,
        pulse: Pulse,
        faults: Faults,
        memory: MemoryGuard,
    ) -> None:
        self._engine = engine
        self._reader = reader
        self._inbox = inbox
        self._wire = wire
        # Generators do nothing before a step, so one piece tells of all that a step begins.
        self._tell_begun = wire.hold if isinstance(engine, Turns) else wire.send
        self._pulse = pulse
        self._faults = faults
        self._memory = memory
        self._is_broken = False
        self._running: dict[int, Order] = {}
        self._held: Order | None = None

    def __repr__(self) -> str:
        return f"<Answering {sorted(self._running)} with {self._engine!r}>"

    def run(self) -> bool:
        """Answer requests until the inbox is stopped and nothing is in hand.

        False where the device broke: nobody has an answer from here after that, and this worker
        must end, so that what is left is lost with it and goes elsewhere.
        """
        while self._is_busy or self._inbox.wait(self._engine.max_batch, self._engine.batch_delay):
            self._end_what_must()
            self._take_in()
            self._show()
            if self._running and not self._is_broken:
                self._step()
            if self._is_broken:
                return False
        return True

    @property
    def _is_busy(self) -> bool:
        return bool(self._running) or self._held is not None

    # -- what comes in

    def _take_in(self) -> None:
        """Offer requests to the engine until it, or the inbox, has had enough."""
        while len(self._running) < self._engine.max_batch and not self._is_broken:
            is_new = self._held is None
            order = self._held or self._inbox.take()
            if order is None:
                return
            self._held = order if not self._begin(order, is_new=is_new) else None
            if self._held is not None:
                return

    def _begin(self, order: Order, *, is_new: bool) -> bool:
        """Offer ``order`` to the engine. False where it must wait."""
        run = order.run
        self._bind([order])
        try:
            _check(order)
            if is_new:
                self._memory.check()
                self._tell_begun(Began(run.id))
            order.began = time.monotonic()
            is_in = self._engine.begin(run.id, self._reader.read(run.request))
        except _FAULTS as error:
            self._fail(order, error)
            return True
        if is_in:
            self._running[run.id] = order
        return is_in

    # -- a step

    def _end_what_must(self) -> None:
        """End those that were cancelled, and those whose next step would be over too late."""
        held = [] if self._held is None else [self._held]
        for order in (*self._running.values(), *held):
            try:
                _check(order)
            except InferenceError as error:
                self._drop(order)
                self._fail(order, error)

    def _step(self) -> None:
        orders = list(self._running.values())
        for order in orders:
            order.most_at_once = max(order.most_at_once, len(orders))
        self._bind(orders)
        self._wire.flush()
        began = time.monotonic()
        try:
            self._faults.before_step()
            steps = self._engine.step()
        except _FAULTS as error:
            steps = self._recover(error)
        else:
            seconds = time.monotonic() - began
            for order in orders:
                order.quickest_step = min(order.quickest_step, seconds)
        self._pulse.steps += 1
        for step in steps:
            order_of_step = self._running.get(step.id)
            if order_of_step is not None and (not self._is_broken or _breaks(step)):
                self._tell(order_of_step, step)
        self._show()
        self._wire.flush()

    def _show(self) -> None:
        """Have the heartbeat tell what is in hand, and what has shown something."""
        self._pulse.running = tuple(self._running)
        self._pulse.shown = tuple(id for id, order in self._running.items() if order.has_shown)

    def _recover(self, error: BaseException) -> Sequence[Step]:
        try:
            return self._engine.recover(error)
        except _FAULTS as worse:
            _log.error("the engine could not go on after a failed step", exc_info=worse)
            cause = worse if is_sticky(worse) else error
            failed = [Step.failed(id, cause) for id in self._running]
            for order in self._running.values():
                self._drop(order)
            return failed

    def _tell(self, order: Order, step: Step) -> None:
        """Have what a step did for ``order`` sent, with what it did for the others."""
        run = order.run
        try:
            if step.error is not None:
                raise step.error
            if step.chunk is not None:
                if not order.has_shown:
                    order.has_shown = True
                    order.shown = time.monotonic()
                order.tokens += getattr(step.chunk, "tokens", 1)
                # For its reader, a stream is over with its last chunk.
                if step.is_last or getattr(step.chunk, "is_last", False):
                    self._tell_times(order)
                if run.stream:
                    self._wire.hold(Chunk(run.id, raw(step.chunk)))
            if step.is_last:
                self._tell_times(order)
                self._wire.hold(Done(run.id, raw(None if run.stream else step.reply)))
                self._ended(order)
        except _FAULTS as error:
            if not step.is_last:
                self._drop(order)
            self._fail(order, error)

    # -- ends

    def _drop(self, order: Order) -> None:
        try:
            self._engine.drop(order.run.id)
        except Exception as error:
            _log.warning("the engine failed while it was stopped", exc_info=error)

    def _fail(self, order: Order, error: BaseException) -> None:
        if not isinstance(error, InferenceError):
            self._bind([order])
            _log.error("the engine failed", exc_info=error)
        known, breaks = classify(error)
        self._is_broken = self._is_broken or breaks
        known.correlation_id = known.correlation_id or order.run.correlation_id
        self._tell_times(order)
        try:
            self._wire.send(Failed(order.run.id, known.info, breaks))
        except _UNSENDABLE:
            _log.exception("the engine's error could not be sent")
            plain = GenerationFailed(known.message, correlation_id=order.run.correlation_id)
            self._wire.send(Failed(order.run.id, plain.info, breaks))
        self._ended(order)

    def _tell_times(self, order: Order) -> None:
        if order.run.is_timed and not order.is_timed:
            order.is_timed = True
            times = (order.arrived, order.began, order.shown, time.monotonic())
            self._wire.hold(Timed(order.run.id, *times, order.most_at_once))

    def _ended(self, order: Order) -> None:
        self._inbox.ended(order)
        self._running.pop(order.run.id, None)
        if self._held is order:
            self._held = None

    def _bind(self, orders: list[Order]) -> None:
        """Have the log's lines bear the correlation id of the one request in work."""
        structlog.contextvars.unbind_contextvars("correlation_id")
        if len(orders) == 1 and orders[0].run.correlation_id is not None:
            structlog.contextvars.bind_contextvars(correlation_id=orders[0].run.correlation_id)


def _breaks(step: Step) -> bool:
    return step.error is not None and is_sticky(step.error)


def _check(order: Order) -> None:
    """Raise what ends ``order`` before its next step."""
    if order.is_cancelled:
        raise Cancelled("The request was cancelled.", details={"tokens": order.tokens})
    now = time.monotonic()
    # A step that can't end in time is not begun: nobody would be there to get its token, and
    # this way the one who asked learns how many there were.
    needed = _MARGIN + _LEEWAY * order.quickest_step if order.tokens else 0.0
    if order.run.deadline is not None and now + needed >= order.run.deadline:
        allowed = max(0.0, order.run.deadline - order.arrived)
        raise InferenceTimeout.after(allowed, tokens=order.tokens)
