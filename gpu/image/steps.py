"""Turn a call that runs to its end into steps that somebody else paces.

A diffusion pipeline is one long call with a callback at each step. Here it runs in a thread of
its own that stands still in the callback until the next step is wanted, so that never more than
one of the two threads is at work.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar

StepT = TypeVar("StepT")
ResultT = TypeVar("ResultT")


class _Stopped(BaseException):
    """Leave the call; not an Exception, so that nothing on the way takes it for a fault."""


@dataclass(frozen=True)
class _Step(Generic[StepT]):
    value: StepT


@dataclass(frozen=True)
class _End(Generic[ResultT]):
    result: ResultT | None
    error: BaseException | None


def stepwise(
    call: Callable[[Callable[[StepT], None]], ResultT],
) -> Generator[StepT, None, ResultT]:
    """Run ``call(pause)`` in a thread; give what it passes to each ``pause``, return its result.

    Closing the generator, or throwing into it, ends the call at the pause where it stands: the
    pause raises. What the call raises is raised here.
    """
    told: SimpleQueue[_Step[StepT] | _End[ResultT]] = SimpleQueue()
    goes_on: SimpleQueue[bool] = SimpleQueue()

    def pause(value: StepT) -> None:
        told.put(_Step(value))
        if not goes_on.get():
            raise _Stopped

    def run() -> None:
        try:
            told.put(_End(call(pause), None))
        except BaseException as error:
            told.put(_End(None, error))

    # With this thread's context: the correlation id of the log lines is in it.
    thread = threading.Thread(
        target=contextvars.copy_context().run, args=(run,), name="pipeline", daemon=True
    )
    thread.start()
    while isinstance(event := told.get(), _Step):
        is_wanted = False
        try:
            yield event.value
            is_wanted = True
        finally:
            goes_on.put(is_wanted)
            if not is_wanted:
                thread.join()
    thread.join()
    return _result_of(event)


def _result_of(end: _End[ResultT]) -> ResultT:
    if end.error is not None:
        raise end.error
    result: ResultT = end.result  # type: ignore[assignment]  # there is one where no error is
    return result
