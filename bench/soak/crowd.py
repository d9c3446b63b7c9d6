"""The crowd: callers who come by chance, in bursts at times, whether or not they are answered."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from random import Random
from typing import Final
from urllib.parse import urlsplit

import httpx2
import openai

from bench.soak.bursts import BURST, Bursts
from bench.soak.ends import LEFT, UNTAKEN
from bench.soak.http_ways import HttpWays
from bench.soak.ledger import Told
from bench.soak.openai_ways import OpenAIWays, refused
from bench.soak.question import OF_MODELS, PATIENCE, Question, draw
from bench.soak.raw_ways import RawWays

# Above the deadline, within which a service on a busy machine says that it is over.
_MARGIN: Final = 15.0
# Far under the 5 s after which the service closes an idle connection: else a request may meet that.
_IDLE: Final = 1.0
# What it says of a connection that a service that ends hasn't taken, or has closed while idle.
_NOT_TAKEN: Final = ("Connect", "ReadError", "RemoteProtocolError: Server disconnected without")
# What a connection that gives no answer raises.
_BROKEN: Final = (httpx2.TransportError, openai.APIConnectionError, OSError, EOFError)


class Crowd:
    """Ask the service at ``url``. rate: callers a second, on the average, outside of bursts."""

    def __init__(self, url: str, seed: int, rate: float) -> None:
        self._url = url
        self._random = Random(f"{seed}/crowd")
        self._rate = rate
        self._numbers = itertools.count(1)
        self._told = Told()
        self._is_ending = False

    async def round(self, seconds: float, *, is_ending: bool = False) -> Told:
        """Ask for so long, wait for all ends, hang up, and tell.

        is_ending: the service is told to end meanwhile, and may take no more.
        """
        self._told, self._is_ending = Told(), is_ending
        open_: dict[asyncio.Task[None], Question] = {}
        async with self._ways() as ways:
            async for question in self._arrivals(seconds):
                task = asyncio.create_task(self._ask(ways, question))
                open_[task] = question
                task.add_done_callback(open_.pop)
            if open_:
                await asyncio.wait(list(open_), timeout=PATIENCE + 2 * _MARGIN)
            for task, question in list(open_.items()):
                self._told.note(question.id, question.way, "lost", "and never ended")
                task.cancel()
        return self._told

    @contextlib.asynccontextmanager
    async def _ways(self) -> AsyncIterator[dict[str, object]]:
        """Give the ways to ask, by name. All connections end with the round."""
        limits = httpx2.Limits(max_connections=None, keepalive_expiry=_IDLE)
        place = urlsplit(self._url)
        async with (
            httpx2.AsyncClient(base_url=self._url, limits=limits, timeout=None) as plain,
            openai.DefaultAsyncHttpxClient(limits=limits, timeout=None) as client,
        ):
            yield {
                **OpenAIWays(self._url, client).ways(),
                **HttpWays(plain).ways(),
                **RawWays(place.hostname or "", place.port or 80).ways(),
            }

    async def _arrivals(self, seconds: float) -> AsyncIterator[Question]:
        random, loop = self._random, asyncio.get_running_loop()
        until = loop.time() + seconds
        bursts = Bursts(random, loop.time())
        while (now := loop.time()) < until:
            times = BURST if bursts.is_one_at(now) else 1.0
            await asyncio.sleep(random.expovariate(self._rate * times))
            yield draw(random, next(self._numbers))
        self._told.bursts = bursts.begun

    async def _ask(self, ways: dict[str, object], question: Question) -> None:
        self._told.asked += 1
        way: object = ways[question.way]
        asking = asyncio.ensure_future(way(question))  # type: ignore[operator]
        limit = question.within + _MARGIN
        leaves = question.leaves_after
        try:
            await asyncio.wait([asking], timeout=limit if leaves is None else leaves)
            if asking.done():
                end, why = _end_of(asking, question)
            else:
                end, why = ("lost", "after its deadline") if leaves is None else (LEFT, "")
        finally:
            asking.cancel()
            await asyncio.wait([asking])
            if not asking.cancelled():
                asking.exception()  # else it is told to stderr that nobody asked for it
        if self._is_ending and why.startswith(_NOT_TAKEN):
            end = UNTAKEN
        self._told.note(question.id, question.way, end, why, by_model=question.way in OF_MODELS)


def _end_of(asking: asyncio.Future[str], question: Question) -> tuple[str, str]:
    try:
        return asking.result(), ""
    except _BROKEN as error:
        cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else error
        return "lost", f"{type(cause).__name__}: {cause}"
    except openai.APIError as error:
        end = refused(error, question)
        return end, repr(error) if end == "wrong" else ""
    # A body of another form than the way reads, say.
    except Exception as error:
        return "wrong", repr(error)
