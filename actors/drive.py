"""Run a coroutine in a given context, in the task that awaits it."""

from __future__ import annotations

import types
from collections.abc import Coroutine, Generator
from contextvars import Context
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


@types.coroutine
def drive(
    coroutine: Coroutine[Any, Any, ResultT], context: Context
) -> Generator[Any, Any, ResultT]:
    """Await ``coroutine`` with its own context variables.

    A task could do so too, at ten times the cost; and then a handler and its actor would be
    two things to cancel.
    """
    step, value = coroutine.send, None
    while True:
        try:
            waited_for = context.run(step, value)
        except StopIteration as stop:
            result: ResultT = stop.value
            return result
        try:
            yield waited_for
        except BaseException as error:
            step, value = coroutine.throw, error
        else:
            step, value = coroutine.send, None
