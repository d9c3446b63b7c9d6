"""A call in a thread that stands still between its steps."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Generator

import pytest

from failsoft.gpu.image.steps import stepwise


def collected(steps: Generator[int, None, str]) -> tuple[list[int], str]:
    seen = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as end:
            return seen, end.value


def test_steps_come_in_order_and_the_result_at_the_end() -> None:
    """Each pause is one step."""

    def call(pause: Callable[[int], None]) -> str:
        for number in range(3):
            pause(number)
        return "done"

    assert collected(stepwise(call)) == ([0, 1, 2], "done")


def test_nothing_is_done_before_the_next_step_is_wanted() -> None:
    """The call stands still at its pause."""
    reached = []

    def call(pause: Callable[[int], None]) -> None:
        for number in range(3):
            reached.append(number)
            pause(number)

    steps = stepwise(call)
    assert reached == []
    next(steps)
    assert reached == [0]
    next(steps)
    assert reached == [0, 1]
    steps.close()
    assert reached == [0, 1]


@pytest.mark.parametrize("stop", ["close", "throw"])
def test_a_stopped_call_cleans_up_and_its_thread_ends(stop: str) -> None:
    """Even where the call takes every Exception for a fault to go on from."""
    ended = threading.Event()
    before = threading.active_count()

    def call(pause: Callable[[int], None]) -> None:
        try:
            while True:
                try:
                    pause(1)
                except Exception:
                    continue
        finally:
            ended.set()

    steps = stepwise(call)
    next(steps)
    assert threading.active_count() == before + 1
    if stop == "close":
        steps.close()
    else:
        with pytest.raises(KeyError):
            steps.throw(KeyError())
    assert ended.is_set()
    assert threading.active_count() == before


def test_what_the_call_raises_is_raised() -> None:
    """After the steps that it made."""

    def call(pause: Callable[[int], None]) -> None:
        pause(1)
        raise ValueError("broken")

    steps = stepwise(call)
    next(steps)
    with pytest.raises(ValueError, match="broken"):
        next(steps)


def test_the_call_has_the_context_of_who_asked() -> None:
    """Its log lines bear the correlation id."""
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="")

    def call(pause: Callable[[int], None]) -> str:
        return name.get()

    token = name.set("abc")
    try:
        assert collected(stepwise(call)) == ([], "abc")
    finally:
        name.reset(token)
