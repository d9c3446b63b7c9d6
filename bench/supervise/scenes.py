"""What is done to a peer's worker, and what its callers see of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable
from pathlib import Path
from random import Random

import msgspec

from bench.servers.model import NO_MEMORY
from bench.supervise.model import WEDGE
from bench.supervise.peer import Peer, Unanswered

# Whoever hasn't come back in so many seconds isn't waited for.
PATIENCE = 10.0
LOAD_PATIENCE = 60.0
CALLERS = 4
_PAUSE = 0.01


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Tell what came of a blow.

    seconds: from the blow to the next answer; None where there was none in time. errors: what
    callers were told meanwhile. asked, starts: of the scenes alone that count them.
    """

    seconds: float | None = None
    errors: tuple[str, ...] = ()
    asked: int = 0
    starts: int = 0


class Scenes:
    """Play them with one peer; ``folder`` is the model's (see ``model``)."""

    def __init__(self, peer: Peer, folder: Path) -> None:
        self._peer = peer
        self._folder = folder

    async def killed_idle(self) -> Seen:
        """SIGKILL a worker that has nothing to do, and ask at once."""
        await self._peer.ready()
        began = time.perf_counter()
        os.kill(self._peer.worker(), signal.SIGKILL)
        return await self._until_answered(began, LOAD_PATIENCE)

    async def killed_midway(self, steps: int = 50, after: float = 0.2) -> Seen:
        """SIGKILL a worker in the middle of a request, which is asked again if it fails."""
        await self._peer.ready()
        asking = asyncio.create_task(
            self._until_answered(time.perf_counter() + after, LOAD_PATIENCE, steps)
        )
        await asyncio.sleep(after)
        os.kill(self._peer.worker(), signal.SIGKILL)
        return await asking

    async def killed_under_load(self, kills: int, seed: int) -> Seen:
        """SIGKILL the worker again and again while callers ask, none of them a second time."""
        await self._peer.ready()
        random = Random(seed)
        is_over = asyncio.Event()

        async def call(number: int) -> list[str]:
            ends: list[str] = []
            while not is_over.is_set():
                ends.append(await self._told(f"{number}-{len(ends)}"))
            return ends

        calls = [asyncio.create_task(call(number)) for number in range(CALLERS)]
        for _ in range(kills):
            await asyncio.sleep(random.uniform(1.5, 2.5))
            killed = self._peer.worker()
            # One that has been given up isn't there.
            with contextlib.suppress(ProcessLookupError):
                os.kill(killed, signal.SIGKILL)
            await self._another_than(killed)
        is_over.set()
        ends = [end for found in await asyncio.gather(*calls) for end in found]
        return Seen(asked=len(ends), errors=tuple(end for end in ends if end))

    async def stopped(self) -> Seen:
        """SIGSTOP the worker; see whether that is found out."""
        await self._peer.ready()
        pid = self._peer.worker()
        began = time.perf_counter()
        os.kill(pid, signal.SIGSTOP)
        return await self._found_out(pid, began)

    async def wedged(self) -> Seen:
        """Have the model turn in a circle for ever; see whether that is found out."""
        await self._peer.ready()
        pid = self._peer.worker()
        (self._folder / "wedge").touch()
        began = time.perf_counter()
        wedging = asyncio.create_task(self._told(WEDGE))
        await asyncio.sleep(_PAUSE)
        seen = await self._found_out(pid, began)
        return msgspec.structs.replace(seen, errors=(await wedging,))

    async def no_memory(self) -> Seen:
        """Have a request run out of memory; see what its caller is told, and ask again."""
        await self._peer.ready()
        told = await self._told(NO_MEMORY)
        seen = await self._until_answered(time.perf_counter(), PATIENCE)
        return msgspec.structs.replace(seen, errors=(told,))

    async def broken(self, seconds: float) -> Seen:
        """Have each start fail for a while; then mend it, and see whether it comes back."""
        await self._peer.ready()
        starts = self._starts()
        (self._folder / "broken").touch()
        os.kill(self._peer.worker(), signal.SIGKILL)
        telling = asyncio.create_task(self._told("hello"))
        await asyncio.sleep(seconds)
        starts = self._starts() - starts
        (self._folder / "broken").unlink()
        back = await self._until_answered(time.perf_counter(), PATIENCE)
        return Seen(seconds=back.seconds, errors=(await telling,), starts=starts)

    async def long(self) -> Seen:
        """Have the worker be busy for five seconds."""
        return Seen(errors=(await self._told("long", steps=500),))

    async def _until_answered(self, began: float, patience: float, steps: int = 1) -> Seen:
        """Ask until there is an answer; tell how long after ``began`` that was."""
        errors = []
        while (left := began + patience - time.perf_counter()) > 0:
            try:
                await self._peer.ask("hello", steps, left)
            except Unanswered as error:
                errors.append(str(error))
                await asyncio.sleep(_PAUSE)
            else:
                return Seen(seconds=time.perf_counter() - began, errors=tuple(errors))
        return Seen(errors=tuple(errors))

    async def _found_out(self, pid: int, began: float) -> Seen:
        """See whether the peer answers again by itself; help it where it doesn't."""
        seen = await self._until_answered(began, PATIENCE)
        if seen.seconds is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            await self._until_answered(time.perf_counter(), LOAD_PATIENCE)
        return seen

    async def _told(self, prompt: str, steps: int = 5) -> str:
        """Ask once; give what the caller is told instead of an answer."""
        try:
            text = await self._peer.ask(prompt, steps, PATIENCE)
        except Unanswered as error:
            # An error that comes at once would be asked for a thousand times a second.
            await asyncio.sleep(_PAUSE)
            return str(error)
        return "" if text == prompt else "the answer of another"

    async def _another_than(self, killed: int) -> None:
        """Wait for another worker, though not for ever."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2 * PATIENCE):
                while True:
                    with contextlib.suppress(ProcessLookupError):
                        if self._peer.worker() != killed:
                            return
                    await asyncio.sleep(_PAUSE)

    def _starts(self) -> int:
        return (self._folder / "starts").stat().st_size


async def play(scenes: Scenes, name: str, arguments: dict[str, int | float]) -> Seen:
    """Play the scene of that name."""
    playing: Awaitable[Seen] = getattr(scenes, name)(**arguments)
    return await playing
