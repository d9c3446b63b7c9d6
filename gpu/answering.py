"""Work on one request at a time, step by step, and end each exactly once."""

from __future__ import annotations

import time
from collections.abc import Generator
from functools import reduce
from operator import or_
from typing import Any

import msgspec
import structlog

from failsoft.gpu.classify import classify
from failsoft.gpu.engine import Engine
from failsoft.gpu.faults import Faults
from failsoft.gpu.inbox import Order
from failsoft.gpu.pulse import Pulse
from failsoft.gpu.wire_end import WireEnd
from failsoft.messages.errors import (
    Cancelled,
    GenerationFailed,
    InferenceError,
    InferenceTimeout,
    InvalidInput,
)
from failsoft.messages.frames import Chunk, Done, Failed
from failsoft.messages.wire import WireError, raw

_log = structlog.get_logger("failsoft.worker")
# Of a step's time, and seconds for the way back.
_LEEWAY = 1.2
_MARGIN = 0.002
_UNSENDABLE = (TypeError, ValueError, OverflowError, RecursionError, WireError)


class Answering:
    """Have ``engine`` answer requests. Raises TypeError where its request types clash."""

    def __init__(self, engine: Engine, wire: WireEnd, pulse: Pulse, faults: Faults) -> None:
        self._engine = engine
        self._wire = wire
        self._pulse = pulse
        self._faults = faults
        self._names = ", ".join(type.__name__ for type in engine.requests)
        self._decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(
            reduce(or_, engine.requests)
        )

    def answer(self, order: Order) -> None:
        """Work on ``order``; send its chunks, and its one end."""
        run = order.run
        structlog.contextvars.clear_contextvars()
        if run.correlation_id is not None:
            structlog.contextvars.bind_contextvars(correlation_id=run.correlation_id)
        self._pulse.running = (run.id,)
        try:
            reply = self._work(order)
            self._wire.send(Done(run.id, raw(None if run.stream else reply)))
        # The boundary of the engine: what it raises is an answer, and never ends the process.
        except (Exception, SystemExit) as error:
            self._fail(order, error)
        finally:
            self._pulse.running = ()

    def _work(self, order: Order) -> Any:
        _check(order)
        steps = self._engine.generate(self._decode(order.run.request))
        try:
            while True:
                _check(order)
                self._faults.before_step()
                began = time.monotonic()
                try:
                    chunk = next(steps)
                except StopIteration as end:
                    return end.value
                order.quickest_step = min(order.quickest_step, time.monotonic() - began)
                self._pulse.steps += 1
                if chunk is not None:
                    order.tokens += getattr(chunk, "tokens", 1)
                    if order.run.stream:
                        self._wire.send(Chunk(order.run.id, raw(chunk)))
        finally:
            _close(steps)

    def _decode(self, request: msgspec.Raw) -> Any:
        try:
            return self._decoder.decode(request)
        except msgspec.DecodeError as error:
            said = f"{error}; this model takes {self._names}"
            raise InvalidInput.in_fields({"request": said}) from error

    def _fail(self, order: Order, error: BaseException) -> None:
        if not isinstance(error, InferenceError):
            _log.error("the engine failed", exc_info=error)
        known, is_sticky = classify(error)
        known.correlation_id = known.correlation_id or order.run.correlation_id
        try:
            self._wire.send(Failed(order.run.id, known.info, is_sticky))
        except _UNSENDABLE:
            _log.exception("the engine's error could not be sent")
            plain = GenerationFailed(known.message, correlation_id=order.run.correlation_id)
            self._wire.send(Failed(order.run.id, plain.info, is_sticky))


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


def _close(steps: Generator[Any, None, Any]) -> None:
    try:
        steps.close()
    except Exception as error:
        _log.warning("the engine failed while it was stopped", exc_info=error)
