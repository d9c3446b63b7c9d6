"""What a caller has bound goes with its request to each model, and never with another's."""

from __future__ import annotations

import asyncio
from contextvars import copy_context

import pytest

from failsoft.actors import Ref, System, bind_correlation_id
from failsoft.messages import GenerateText, ModelOverloaded, TextReply
from failsoft.messages.events import Event, FellBack, RequestFinished, RequestRetried
from failsoft.supervisors import Backoff, Breaker, Hedge, candidate

from .crowd_actors import MARK, Log, Timed, fixed, settled, timed
from .router_actors import BROKEN, HELLO, of_kind, spawn_router

pytestmark = pytest.mark.anyio

BUSY = ModelOverloaded("busy")
NO_JITTER = Backoff(jitter=False)


def asked_by(
    ref: Ref, who: str, *, timeout: float = 20.0, read: bool = False
) -> asyncio.Task[object]:
    """Ask in a context that has ``who`` bound, as its correlation id too."""

    async def ask() -> TextReply:
        return await ref.ask(GenerateText(who), timeout=timeout)

    async def stream() -> list[object]:
        async with ref.stream(GenerateText(who), timeout=timeout) as chunks:
            return [chunk async for chunk in chunks]

    def bind() -> asyncio.Task[object]:
        MARK.set(who)
        bind_correlation_id(who)
        return asyncio.create_task(stream() if read else ask())

    return copy_context().run(bind)


def check(log: Log) -> None:
    """See that each prompt, which is its caller's name, came in its caller's context."""
    assert log.marks == log.prompts == log.correlation_ids


@pytest.mark.parametrize("read", [False, True], ids=["ask", "stream"])
async def test_the_first_send_has_its_callers_context(system: System, read: bool) -> None:
    """RT-24 Deadline, correlation id, and what the caller itself has bound."""
    log = Log()
    ref = await spawn_router(system, candidate("a", timed(log, 1)))
    await asyncio.sleep(3)
    await asked_by(ref, "ann", timeout=7, read=read)
    check(log)
    assert (log.prompts, log.deadlines) == (["ann"], [10.0])


@pytest.mark.parametrize("read", [False, True], ids=["ask", "stream"])
async def test_a_retry_and_a_fallback_have_it_too(
    system: System, events: list[Event], read: bool
) -> None:
    """RT-24 What a model left behind in it isn't seen by the next, nor by the same one later."""
    first, second = Log(), Log()
    ref = await spawn_router(
        system,
        candidate("a", timed(first, BUSY, BUSY, 1)),
        candidate("b", timed(second, BROKEN)),
        retry_backoff=NO_JITTER,
    )
    await asked_by(ref, "ann", timeout=9, read=read)
    assert (first.prompts, second.prompts) == (["ann"] * 3, ["ann"] * 2)
    for log in (first, second):
        check(log)
        assert set(log.deadlines) == {9.0}
    told = [each.correlation_id for each in of_kind(events, FellBack)]
    told += [each.correlation_id for each in of_kind(events, RequestRetried)]
    assert set(told) == {"ann"}
    assert [each.correlation_id for each in of_kind(events, RequestFinished)] == ["ann"]


async def test_who_is_pulled_from_the_line_has_its_own(system: System) -> None:
    """RT-24 It is sent from within another's answer, another's error, another's leaving."""
    log = Log()
    ref = await spawn_router(
        system,
        candidate("a", timed(log, 1, BROKEN, 50, 1, 1)),
        admission=fixed(1),
        retries=0,
        degradation=None,
    )
    names = ["answered", "failed", "leaves", "late", "last"]
    tasks = []
    for number, name in enumerate(names):
        tasks.append(asked_by(ref, name, timeout=20.0 + number))
        await settled()
    await asyncio.sleep(2)
    tasks[2].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    check(log)
    assert log.prompts == names
    assert log.deadlines == [20.0, 21.0, 22.0, 23.0, 24.0]


class Late(Timed):
    """Be ready three seconds after the start."""

    def __init__(self, log: Log) -> None:
        super().__init__(log, lambda _: 1.0)

    async def on_start(self) -> None:
        self.context.defer_ready()
        self.context.call_after(3, lambda: self.context.set_ready(True))


async def test_who_waited_for_a_load_has_its_own(system: System) -> None:
    """RT-24 Those are sent by the model's becoming ready."""
    log = Log()
    ref = await spawn_router(system, candidate("a", lambda: Late(log)))
    tasks = []
    for name in ("ann", "ben"):
        tasks.append(asked_by(ref, name))
        await settled()
    await asyncio.gather(*tasks)
    check(log)
    assert (log.prompts, set(log.deadlines)) == (["ann", "ben"], {20.0})


async def test_a_hedge_has_it_and_neither_model_sees_what_the_other_binds(system: System) -> None:
    """RT-24 Both are under way at once, for one caller."""
    first, second = Log(), Log()
    ref = await spawn_router(
        system,
        candidate("a", timed(first, 1, 19)),
        candidate("b", timed(second, 1)),
        hedge=Hedge(minimum=1),
    )
    await asked_by(ref, "warm")
    await asked_by(ref, "ann", timeout=15)
    check(first)
    check(second)
    assert (first.prompts, second.prompts) == (["warm", "ann"], ["ann"])
    assert second.deadlines == first.deadlines[1:] == [16.0]


async def test_the_callers_context_is_not_changed(system: System) -> None:
    """RT-24 What models bind stays with them."""
    ref = await spawn_router(system, candidate("a", timed(Log(), 1)))
    MARK.set("me")
    await ref.ask(HELLO)
    assert MARK.get() == "me"


async def test_a_canary_has_nobodys_context(system: System) -> None:
    """RT-24 It is the router's own request."""
    log = Log()
    ref = await spawn_router(
        system,
        candidate(
            "a",
            timed(log, BROKEN, 1),
            canary=GenerateText("nobody"),
            breaker=Breaker(consecutive_failures=1, open_seconds=5),
        ),
        retries=0,
        degradation=None,
    )
    await asyncio.gather(asked_by(ref, "ann"), return_exceptions=True)
    await asyncio.sleep(7)
    assert (log.prompts, log.marks) == (["ann", "nobody"], ["ann", "nobody"])
    assert log.correlation_ids == ["ann", None]


async def test_in_a_crowd_nobody_sees_anothers(system: System) -> None:
    """RT-24 Two hundred callers, two models that fail now and then, lines, retries and hedges."""
    first, second = Log(), Log()
    script: list[float | Exception] = [1.0, BUSY, 2.0, BROKEN, 0.5, 9.0]
    ref = await spawn_router(
        system,
        candidate("a", timed(first, *script * 20, 1.0), admission=fixed(4)),
        candidate("b", timed(second, *script * 20, 1.0), admission=fixed(2)),
        hedge=Hedge(minimum=5),
        breaker=None,
    )
    tasks = [asked_by(ref, f"caller {n}", timeout=20 + n, read=n % 3 == 0) for n in range(200)]
    await asyncio.gather(*tasks, return_exceptions=True)
    for log in (first, second):
        assert len(log.prompts) > 50
        check(log)
        assert log.deadlines == [20.0 + int(prompt.split()[1]) for prompt in log.prompts]
