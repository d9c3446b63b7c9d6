"""What fails a million times takes no more memory than what fails once."""

from __future__ import annotations

import gc
import weakref
from collections.abc import AsyncIterator

import pytest

from failsoft.actors import Actor, Ref, System, handles
from failsoft.messages import GenerateText, InvalidInput, TextReply
from failsoft.supervisors import NO_WAIT, Intensity, candidate, child, router, supervisor

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("plain_logs")]

HELLO = GenerateText("hello")


class Fault(Exception):
    """Be a fault that can be referred to weakly, which none of Python's own can."""


class Refuser(Actor):
    @handles(GenerateText)
    async def refuse(self, request: GenerateText) -> TextReply:
        raise InvalidInput("no")


class Breaker(Actor):
    @handles(GenerateText)
    async def crash(self, request: GenerateText) -> TextReply:
        raise Fault


@pytest.fixture
async def system() -> AsyncIterator[System]:
    async with System() as system:
        yield system


async def errors_of(ref: Ref, kind: type[Exception]) -> list[weakref.ref[BaseException]]:
    """Ask three times; give the errors, which nobody holds any more."""
    raised: list[weakref.ref[BaseException]] = []
    for _ in range(3):
        try:
            await ref.ask(HELLO, timeout=60)
        except kind as error:
            raised.append(weakref.ref(error))
    gc.collect()
    return raised


def kept(errors: list[weakref.ref[BaseException]]) -> list[BaseException | None]:
    """Give those that are still there, but for the last one, which is the latest known cause."""
    assert len(errors) == 3
    return [error() for error in errors[:-1]]


async def test_a_callers_fault_is_gone_with_its_caller(system: System) -> None:
    """RT-10 Of a model that refuses what it is asked."""
    ref = await system.spawn(Refuser, "refuser")
    assert kept(await errors_of(ref, InvalidInput)) == [None, None]


async def test_a_fault_is_gone_once_its_actor_is_restarted(system: System) -> None:
    """RT-09 And the incarnation that it ended with it."""
    tree = supervisor(
        "root", child("a", Breaker), backoff=NO_WAIT, intensity=Intensity(max_restarts=10)
    )
    await system.spawn(tree.start, "root")
    assert kept(await errors_of(system.ref("root/a"), Fault)) == [None, None]
    gc.collect()
    assert sum(type(thing) is Breaker for thing in gc.get_objects()) <= 2


@pytest.mark.parametrize("actor", [Refuser, Breaker])
async def test_a_router_keeps_no_errors_either(system: System, actor: type[Actor]) -> None:
    """RY-01 Neither of those that it answers at once, nor of those that it tries again."""
    tree = router("text", candidate("a", actor), backoff=NO_WAIT, retries=0, breaker=None)
    ref = await system.spawn(tree.start, "text")
    assert kept(await errors_of(ref, Exception)) == [None, None]
