"""The router's laws, whatever its models do and its callers: random scripts, deadlines, cancels."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.actors import Actor, System, bind_correlation_id, current_deadline, handles, streams
from failsoft.messages import (
    ContextLengthExceeded,
    GenerateText,
    GenerationFailed,
    InferenceError,
    ModelOverloaded,
    OutOfMemory,
    TextChunk,
    TextReply,
    WorkerLost,
)
from failsoft.messages.events import Event, RequestFinished
from failsoft.supervisors import (
    Admission,
    Backoff,
    Breaker,
    Candidate,
    Hedge,
    Limit,
    candidate,
)
from failsoft.testing import VirtualTimeLoop, VirtualTimeUvloop

from .router_actors import BROKEN, USAGE, now, of_kind, router_of, spawn_router

# Longer than all that may be under way: open circuits, cool-downs, canaries.
LONG = 5000.0


class Step(msgspec.Struct, frozen=True):
    """Be what a model does with one request: wait, give chunks, and end with it."""

    seconds: float
    end: Exception | None
    chunks: int = 1


class Call(msgspec.Struct, frozen=True):
    """Be what a caller does. cancel_after: seconds after which it leaves, where it does."""

    at: float
    within: float
    cancel_after: float | None
    is_stream: bool
    priority: int
    prompt: str


class Model(Actor):
    """Do the steps of a script, one a request; after the last one, answer at once."""

    def __init__(self, script: list[Step], log: Log, load: float) -> None:
        self._script = script
        self._log = log
        self._load = load

    async def on_start(self) -> None:
        if self._load:
            self.context.defer_ready()
            self.context.call_after(self._load, lambda: self.context.set_ready(True))

    @contextlib.contextmanager
    def _handled(self, request: GenerateText) -> Any:
        deadline = current_deadline()
        self._log.deadlines.append((request.tenant, deadline))
        self._log.running += 1
        try:
            yield self._script.pop(0) if self._script else Step(0.0, None)
        finally:
            self._log.running -= 1
            if now() > deadline:
                self._log.late.append(request.tenant)

    @handles(GenerateText, interleave=True, cancellable=True)
    async def _ask(self, request: GenerateText) -> TextReply:
        with self._handled(request) as step:
            await asyncio.sleep(step.seconds)
            if step.end is not None:
                raise step.end
            return TextReply("all", "stop", USAGE)

    @streams(GenerateText, interleave=True)
    async def _stream(self, request: GenerateText) -> AsyncIterator[TextChunk]:
        with self._handled(request) as step:
            for _ in range(step.chunks):
                await asyncio.sleep(step.seconds)
                yield TextChunk("some")
            if step.end is not None:
                raise step.end
            yield TextChunk("", finish_reason="stop", usage=USAGE)


class Log:
    """Know what the models saw, and how many handlers run."""

    def __init__(self) -> None:
        self.deadlines: list[tuple[str, float]] = []
        self.late: list[str] = []
        self.running = 0


ENDS = st.sampled_from(
    [
        None,
        None,
        BROKEN,
        ModelOverloaded("busy", details={"retry_after": 2.0}),
        OutOfMemory("full").as_answer(),
        ContextLengthExceeded.of(9, 4),
        GenerationFailed("crashed"),
        WorkerLost("gone", details={"begun": True}),
        WorkerLost("gone", details={"begun": False}),
        RuntimeError("a bug"),
    ]
)
SECONDS = st.sampled_from([0.0, 0.1, 1.0, 7.0, 500.0])
STEPS = st.builds(Step, SECONDS, ENDS, st.integers(0, 3))
CALLS = st.builds(
    Call,
    at=st.sampled_from([0.0, 0.5, 1.0, 2.0, 5.0, 30.0, 70.0]),
    within=st.sampled_from([0.05, 1.0, 3.0, 20.0, 200.0]),
    cancel_after=st.sampled_from([None, None, 0.0, 0.5, 4.0]),
    is_stream=st.booleans(),
    priority=st.integers(0, 1),
    prompt=st.sampled_from(["one", "two", "three"]),
)
MODELS = st.lists(
    st.tuples(st.lists(STEPS, max_size=8), st.sampled_from([0.0, 2.0]), st.booleans()),
    min_size=1,
    max_size=3,
)
OPTIONS = st.fixed_dictionaries(
    {
        "breaker": st.sampled_from(
            [
                None,
                Breaker(),
                Breaker(consecutive_failures=1, open_seconds=3, longest_open=20, probe_seconds=5),
            ]
        ),
        "admission": st.builds(
            Admission,
            queue_limit=st.sampled_from([0, 1, 100]),
            limit=st.sampled_from([Limit(), Limit.fixed(1)]),
        ),
        "hedge": st.sampled_from([None, Hedge(minimum=1)]),
        "while_restarting": st.sampled_from(["fallback", "wait", 2.0]),
        "retries": st.integers(0, 3),
        "cool_down": st.sampled_from([5.0, 60.0]),
        "backoff": st.sampled_from([Backoff(), Backoff(base=0)]),
    }
)
CANARY = GenerateText("canary", tenant="canary", max_tokens=1)


class Outcomes:
    """Know what each caller got, and when."""

    def __init__(self) -> None:
        self.ends: dict[str, str] = {}
        self.deadlines: dict[str, float] = {"canary": float("inf")}


async def make(ref: Any, id: str, call: Call, outcomes: Outcomes) -> None:
    """Be the caller."""
    await asyncio.sleep(call.at)
    bind_correlation_id(id)
    request = GenerateText(call.prompt, tenant=id, priority=call.priority, max_tokens=64)
    outcomes.deadlines[id] = now() + call.within
    ended = "cancelled"
    try:
        async with asyncio.timeout(call.cancel_after):
            if call.is_stream:
                ended = await read(ref, request, call)
            else:
                reply = await ref.ask(request, timeout=call.within)
                ended = f"ok {reply.model_used}"
    except TimeoutError:
        pass
    except InferenceError as error:
        ended = error.kind
    except Exception as error:
        ended = type(error).__name__
    assert id not in outcomes.ends
    outcomes.ends[id] = ended
    assert now() <= outcomes.deadlines[id]


async def read(ref: Any, request: GenerateText, call: Call) -> str:
    models = set()
    async with ref.stream(request, timeout=call.within) as chunks:
        async for chunk in chunks:
            models.add(chunk.model_used)
    (model,) = models
    return f"ok {model}"


async def run(
    models: list[tuple[list[Step], float, bool]],
    calls: list[Call],
    options: dict[str, Any],
    stop_at: float | None,
) -> None:
    log, outcomes = Log(), Outcomes()
    events: list[Event] = []

    def described(n: int) -> Candidate:
        script, load, has_canary = models[n]
        left = list(script)
        return candidate(
            f"model {n}", lambda: Model(left, log, load), canary=CANARY if has_canary else None
        )

    async with System(random=Random(1)) as system:
        system.events.subscribe(events.append)
        ref = await spawn_router(system, *map(described, range(len(models))), **options)
        router = router_of(ref)
        callers = [
            asyncio.create_task(make(ref, f"request {n}", call, outcomes))
            for n, call in enumerate(calls)
        ]
        if stop_at is not None:
            await asyncio.sleep(stop_at)
            await system.stop(ref, within=10)
        await asyncio.gather(*callers)
        await asyncio.sleep(0)
        assert router.inspect()["in_hand"] == 0
        await asyncio.sleep(LONG)
        check(router, log)
        finished = of_kind(events, RequestFinished)
        assert len(finished) == router.inspect()["routed"]
    ended = {event.correlation_id: event for event in finished}
    assert len(ended) == len(finished)
    for id, outcome in outcomes.ends.items():
        event = ended.get(id)
        if event is None:  # it left before the router saw it, or came after the router's end
            assert outcome in ("cancelled", "inference_timeout", "ActorStopped")
        else:
            said = f"ok {event.model_used}" if event.outcome == "ok" else event.outcome
            # Who leaves in the very moment of the answer doesn't see it.
            assert outcome in (said, "cancelled")
    for id, deadline in log.deadlines:
        assert deadline <= outcomes.deadlines[id] < float("inf") or id == "canary"
        assert deadline < float("inf")
    assert not log.late


def check(router: Any, log: Log) -> None:
    """See that nothing is left."""
    assert log.running == 0
    assert not router.context._timers
    for target in router._dispatcher.targets.values():
        assert (target.line.in_flight, target.line.waiting, len(target.attempts)) == (0, 0, 0)
    assert not router._dispatcher._pausing


@pytest.mark.parametrize("loop", [VirtualTimeLoop, VirtualTimeUvloop], ids=["asyncio", "uvloop"])
@given(
    models=MODELS,
    calls=st.lists(CALLS, min_size=1, max_size=12),
    options=OPTIONS,
    stop_at=st.sampled_from([None, None, 0.0, 1.0, 10.0]),
)
@pytest.mark.usefixtures("plain_logs")
def test_each_request_has_one_answer_in_time_and_leaves_nothing_behind(
    loop: type[asyncio.AbstractEventLoop],
    models: list[tuple[list[Step], float, bool]],
    calls: list[Call],
    options: dict[str, Any],
    stop_at: float | None,
) -> None:
    """RT-21 FB-05 No model sees a later deadline than the caller's; each slot is freed."""
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run(models, calls, options, stop_at))
