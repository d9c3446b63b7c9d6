"""Candidates for a router's tests: real actors that answer as the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from failsoft.actors import Actor, Ref, System, TreeNode, handles, streams
from failsoft.actors.cell import Cell
from failsoft.messages import GenerateText, GenerationFailed, TextChunk, TextReply, Usage
from failsoft.messages.events import Event
from failsoft.supervisors import Candidate, WhichCandidates, router
from failsoft.supervisors.routing.router import Router
from failsoft.supervisors.routing.target import CandidateInfo

Answer = str | Exception | asyncio.Event
EventT = TypeVar("EventT", bound=Event)
USAGE = Usage(1, 2)
HELLO = GenerateText("hello")
# As a model answers that has failed at the request, and lives.
BROKEN = GenerationFailed("broken").as_answer()


class Scripted(Actor):
    """Answer each request with the next thing of ``script``, for ever with the last one.

    A string is the text, an exception is raised, an event is waited for before going on to the
    next thing. ``seen`` counts requests over all incarnations.
    """

    def __init__(self, script: list[Answer], seen: list[str], ready: bool = True) -> None:
        self._script = script
        self._seen = seen
        self._ready = ready

    async def on_start(self) -> None:
        if not self._ready:
            self.context.defer_ready()

    def _next(self) -> Answer:
        return self._script.pop(0) if len(self._script) > 1 else self._script[0]

    @handles(GenerateText, interleave=True)
    async def _ask(self, request: GenerateText) -> TextReply:
        self._seen.append(str(request.prompt))
        while isinstance(answer := self._next(), asyncio.Event):
            await answer.wait()
        if isinstance(answer, Exception):
            raise answer
        return TextReply(answer, "stop", USAGE)

    @streams(GenerateText)
    async def _stream(self, request: GenerateText) -> AsyncIterator[TextChunk]:
        self._seen.append(str(request.prompt))
        while True:
            answer = self._next()
            if isinstance(answer, asyncio.Event):
                await answer.wait()
            elif isinstance(answer, Exception):
                raise answer
            elif answer == "END":
                yield TextChunk("", finish_reason="stop", usage=USAGE)
                return
            else:
                yield TextChunk(answer)


def scripted(*script: Answer, seen: list[str] | None = None) -> Callable[[], Scripted]:
    """Give what makes a ``Scripted``; the script goes on over restarts."""
    left, counted = list(script), [] if seen is None else seen
    return lambda: Scripted(left, counted)


class Loading(Scripted):
    """Be ready ``loads[0]`` seconds after each start; an exception instead fails the start.

    The last of ``loads`` is for all starts that follow.
    """

    def __init__(
        self, loads: list[float | Exception], script: list[Answer], seen: list[str] | None = None
    ) -> None:
        super().__init__(script, [] if seen is None else seen)
        self._loads = loads

    async def on_start(self) -> None:
        load = self._loads.pop(0) if len(self._loads) > 1 else self._loads[0]
        if isinstance(load, Exception):
            raise load
        self.context.defer_ready()
        self.context.call_after(load, lambda: self.context.set_ready(True))


def loading(
    *loads: float | Exception, script: list[Answer], seen: list[str] | None = None
) -> Callable[[], Loading]:
    """Give what makes a ``Loading``; loads and script go on over restarts."""
    left = list(loads)
    return lambda: Loading(left, script, seen)


# -- routers


async def spawn_router(system: System, *candidates: Candidate, **options: object) -> Ref:
    """Start a router at the top, as ``text``."""
    return await system.spawn(router("text", *candidates, **options).start, "text")


def router_of(ref: Ref) -> Router:
    """Give the router itself."""
    cell = ref.address
    assert isinstance(cell, Cell)
    assert isinstance(cell.actor, Router)
    return cell.actor


async def info_of(ref: Ref, id: str) -> CandidateInfo:
    """Ask the router for a candidate as it is now."""
    return next(info for info in await ref.ask(WhichCandidates()) if info.id == id)


async def circuit_of(ref: Ref, id: str) -> str:
    return (await info_of(ref, id)).circuit


def of_kind(events: list[Event], kind: type[EventT]) -> list[EventT]:
    return [event for event in events if isinstance(event, kind)]


def node_of(system: System) -> TreeNode:
    """Give the router's node in the tree."""
    return system.tree()[0]


def now() -> float:
    return asyncio.get_running_loop().time()
