"""The time limit of a block: as asyncio's own, against which it is held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from failsoft.service.http.time_limit import TimeLimit

pytestmark = pytest.mark.virtual_time

Limit = Callable[[float], AbstractAsyncContextManager[object]]


@asynccontextmanager
async def ours(seconds: float) -> AsyncIterator[None]:
    with TimeLimit(seconds):
        yield


@pytest.fixture(params=["ours", "asyncio's"])
def limit(request: pytest.FixtureRequest) -> Limit:
    return ours if request.param == "ours" else asyncio.timeout


async def test_what_ends_in_time(limit: Limit) -> None:
    """Is let be, then and later."""
    async with limit(5):
        await asyncio.sleep(4)
    await asyncio.sleep(10)


async def test_what_takes_longer(limit: Limit) -> None:
    """Ends with TimeoutError, at the limit; the task goes on."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(TimeoutError):
        async with limit(5):
            await asyncio.sleep(10)
    assert loop.time() - began == pytest.approx(5)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_an_error_of_its_own(limit: Limit) -> None:
    """Goes through."""
    with pytest.raises(KeyError):
        async with limit(5):
            raise KeyError


async def test_a_limit_in_another(limit: Limit) -> None:
    """The one that is over is the one that tells."""

    async def wait() -> None:
        async with limit(20):
            await asyncio.sleep(100)

    with pytest.raises(TimeoutError):
        async with limit(5):
            await wait()


@pytest.mark.parametrize("early", [True, False])
async def test_somebody_else_cancels(limit: Limit, early: bool) -> None:
    """That is a cancellation, even where it comes in the same moment as the limit."""

    async def wait() -> None:
        async with limit(5):
            await asyncio.sleep(100)

    task = asyncio.create_task(wait())
    await asyncio.sleep(1 if early else 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_under_a_cancellation_that_was_asked_for_before(limit: Limit) -> None:
    """The limit is told apart from that one."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        async with limit(5):
            await asyncio.sleep(10)
    assert task.uncancel() == 0
