"""What is called, and how a number of calls is timed."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from time import process_time

from bench.paired import Sample

Call = Callable[[], Awaitable[int]]
Wrap = Callable[[Call], Call]


class Trouble(Exception):
    """Be what the call fails with."""


async def well() -> int:
    """Answer at once."""
    return 1


def each_other_fails() -> Call:
    """Give a call that fails and answers by turns, so that each needs one retry."""
    tries = 0

    async def call() -> int:
        nonlocal tries
        tries += 1
        if tries % 2:
            raise Trouble
        return 1

    return call


async def failing() -> int:
    """Fail always."""
    raise Trouble


def answered(wrap: Wrap, make: Callable[[], Call]) -> Sample:
    """Time calls, all of which are answered in the end."""

    async def sample(operations: int) -> float:
        call = wrap(make())
        began = process_time()
        for _ in range(operations):
            await call()
        return process_time() - began

    return sample


def refused(wrap: Wrap, error: type[Exception]) -> Sample:
    """Time calls that an open breaker refuses with ``error``."""

    async def sample(operations: int) -> float:
        call = wrap(failing)
        for _ in range(10):  # which open it
            with contextlib.suppress(Trouble, error):
                await call()
        began = process_time()
        for _ in range(operations):
            with contextlib.suppress(error):
                await call()
        return process_time() - began

    return sample
