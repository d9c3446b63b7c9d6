"""The dispatcher alone, driven with all that can happen in any order; see ``World.check``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from failsoft.actors import ActorStopped, MailboxFull
from failsoft.messages import (
    Cancelled,
    ContextLengthExceeded,
    GenerateText,
    GenerationFailed,
    InferenceTimeout,
    InvalidInput,
    ModelLoadingFailed,
    ModelOverloaded,
    OutOfMemory,
    PoisonedRequest,
    WorkerLost,
)
from failsoft.supervisors import (
    Admission,
    Breaker,
    Budget,
    Degradation,
    Hedge,
    Limit,
    Poison,
    RoutePolicy,
    candidate,
)
from failsoft.supervisors.routing.degradation import Level
from failsoft.supervisors.routing.route import Attempt, Route

from .dispatcher_world import World
from .router_actors import scripted

NOBODY = scripted("nobody")
LINE = Admission(queue_limit=4, limit=Limit(initial=2, least=1, most=4, window=2))
FULL = RoutePolicy(
    retries=2,
    breaker=Breaker(consecutive_failures=2, open_seconds=5, minimum_calls=4, probe_seconds=3),
    budget=Budget(ratio=0.1, most=2, per_second=0.05),
    admission=LINE,
    poison=Poison(workers_lost=2, seconds=30),
    hedge=Hedge(minimum=1, least_seconds=0.1),
    degradation=Degradation(),
)
BARE = RoutePolicy(
    breaker=None,
    budget=None,
    hedge=None,
    degradation=None,
    poison=Poison(workers_lost=1),
    admission=Admission(queue_limit=0, limit=Limit.fixed(1)),
)
WAITING = RoutePolicy(
    retries=1,
    breaker=Breaker(consecutive_failures=3, open_seconds=2, growth=1, probes=2, probe_seconds=9),
    admission=Admission(queue_limit=2, limit=Limit.fixed(2)),
    while_restarting="wait",
    hedge=Hedge(minimum=1, least_seconds=0.0),
)
CANDIDATES = (
    candidate("a", NOBODY, canary=GenerateText("Hi", max_tokens=1)),
    candidate("b", NOBODY, least_time=2.0, max_context=8),
    candidate("c", NOBODY, streams=False, breaker=Breaker(consecutive_failures=1, probes=2)),
    candidate(
        "d",
        NOBODY,
        canary=GenerateText("Hi", max_tokens=1),
        breaker=Breaker(consecutive_failures=2, open_seconds=1, probes=2, probe_seconds=2),
    ),
)
# With no circuits at all.
BARE_CANDIDATES = tuple(replace(spec, breaker=None, canary=None) for spec in CANDIDATES)
POLICIES = {
    "all": (FULL, CANDIDATES),
    "none": (BARE, BARE_CANDIDATES),
    "waiting": (WAITING, CANDIDATES),
    "equals": (replace(FULL, prefer="least_loaded"), CANDIDATES),
}


def errors() -> st.SearchStrategy[Exception]:
    """Give every kind of error that a model may answer with."""
    made: list[Callable[[], Exception]] = [
        lambda: WorkerLost("gone", details={"begun": True}),
        lambda: WorkerLost("gone", details={"begun": False}),
        lambda: GenerationFailed("broke"),
        lambda: GenerationFailed("broke").as_answer(),
        lambda: GenerationFailed("its device broke", details={"begun": True}),
        lambda: OutOfMemory("full"),
        lambda: ModelLoadingFailed("no such file"),
        lambda: ModelOverloaded("busy"),
        lambda: ModelOverloaded("busy", details={"retry_after": 4}),
        lambda: InferenceTimeout.after(1.0),
        lambda: InvalidInput("no"),
        lambda: ContextLengthExceeded.of(20, 8),
        lambda: ContextLengthExceeded.of(6, 4),
        lambda: PoisonedRequest("no"),
        lambda: Cancelled("no"),
        lambda: ActorStopped("text/a", "shutdown"),
        lambda: MailboxFull("text/a", 10, "x"),
        lambda: ZeroDivisionError("a bug"),
    ]
    return st.sampled_from(made).map(lambda make: make())


class Machine(RuleBasedStateMachine):
    """Have anything happen; the world checks what follows, after each step."""

    policy = FULL
    candidates = CANDIDATES

    @initialize(count=st.integers(1, len(CANDIDATES)), seed=st.integers(0, 9), data=st.data())
    def begin(self, count: int, seed: int, data: st.DataObject) -> None:
        known = [spec.id for spec in CANDIDATES]
        order = [self.candidates[known.index(id)] for id in data.draw(st.permutations(known))]
        self.world = World(order[:count], self.policy, seed=seed)
        for id in self.world.targets:
            self.world.start(id, seconds=data.draw(st.sampled_from([0.0, 0.5, 3.0])))

    def _target(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(list(self.world.targets)))

    def _attempt(self, data: st.DataObject) -> Attempt:
        return data.draw(st.sampled_from(list(self.world.live.values())))

    def _is_working(self) -> bool:
        return bool(self.world.live)

    def _open(self) -> list[Route]:
        return [route for route in self.world.routes if not route.is_over]

    @rule(
        prompt=st.sampled_from(["one", "two", "three", "a prompt of more than eight words " * 2]),
        timeout=st.sampled_from([0.0, 1.0, 5.0, 60.0, float("inf")]),
        is_stream=st.booleans(),
        priority=st.integers(0, 2),
        tenant=st.sampled_from(["", "x", "y"]),
        level=st.sampled_from(Level),
        times=st.integers(1, 4),
    )
    def arrive(self, prompt: str, times: int, priority: int, tenant: str, **how: Any) -> None:
        for _ in range(times):
            asked = GenerateText(prompt, priority=priority, tenant=tenant)
            self.world.arrive(asked, **how)

    @precondition(_is_working)
    @rule(data=st.data())
    def began(self, data: st.DataObject) -> None:
        self.world.begin(self._attempt(data))

    @precondition(_is_working)
    @rule(data=st.data(), times=st.integers(1, 4))
    def answered(self, data: st.DataObject, times: int) -> None:
        for _ in range(times):
            if self.world.live:  # one answer may call off another attempt
                self.world.answer(self._attempt(data))

    @precondition(_is_working)
    @rule(data=st.data(), error=errors())
    def failed(self, data: st.DataObject, error: Exception) -> None:
        self.world.fail(self._attempt(data), error)

    @precondition(lambda self: self._open())
    @rule(data=st.data())
    def left(self, data: st.DataObject) -> None:
        self.world.leave(data.draw(st.sampled_from(self._open())))

    @precondition(_is_working)
    @rule(data=st.data())
    def hedge_is_due_early(self, data: st.DataObject) -> None:
        """A timer that isn't exact, or one of long ago."""
        attempt = self._attempt(data)
        self.world.do(self.world.dispatcher.hedge(attempt, self.world.now))

    @rule(data=st.data(), is_ready=st.booleans())
    def readiness(self, data: st.DataObject, is_ready: bool) -> None:
        self.world.ready(self._target(data), is_ready)

    @rule(data=st.data(), starts_in=st.sampled_from([None, 0.0, 2.0, 600.0]), begun=st.booleans())
    def crashes(self, data: st.DataObject, starts_in: float | None, begun: bool) -> None:
        """As a model actor does: the first in work is to blame, all are told, then it has ended."""
        world, id = self.world, self._target(data)
        world.ready(id, False)
        for place, attempt in enumerate(world.at(id)):
            lost = WorkerLost("gone", details={"begun": begun and place == 0})
            if attempt.target.attempts.get(attempt, 0) is None:
                world.fail(attempt, lost)
        world.ended(id, starts_in)

    @rule(data=st.data(), starts_in=st.sampled_from([None, 1.0]), is_failure=st.booleans())
    def ends(self, data: st.DataObject, starts_in: float | None, is_failure: bool) -> None:
        """As an actor does that leaves what it has yet to begin in its mailbox."""
        id = self._target(data)
        self.world.ready(id, False)
        self.world.ended(id, starts_in, is_failure)

    @rule(data=st.data(), order=st.sampled_from(["open", "closed", None, "reset", "look", "start"]))
    def ordered(self, data: st.DataObject, order: Any) -> None:
        """By an operator, or by a timer that isn't exact."""
        dispatcher, now = self.world.dispatcher, self.world.now
        target = self.world.targets[self._target(data)]
        if order == "reset":
            self.world.do(dispatcher.reset(target, now))
        elif order == "look":
            self.world.do(dispatcher.look_again(target, now))
        elif order == "start":
            if not target.is_ready:
                self.world.do(dispatcher.starting(target, now))
        else:
            self.world.do(dispatcher.force(target, order, now))

    @rule(seconds=st.sampled_from([0.0, 0.1, 1.0, 2.0, 10.0, 100.0]))
    def time_goes_on(self, seconds: float) -> None:
        self.world.advance(seconds)

    def teardown(self) -> None:
        if hasattr(self, "world") and self.world.is_sound:
            self.world.finish()


@pytest.mark.parametrize("which", POLICIES)
def test_whatever_happens_each_request_ends_once_and_no_law_is_broken(which: str) -> None:
    """RT-21 AD-01 BR-04 BR-05 FB-05 See ``World`` for the laws."""
    policy, candidates = POLICIES[which]
    machine = type("Machine", (Machine,), {"policy": policy, "candidates": candidates})
    run_state_machine_as_test(machine, settings=settings(max_examples=150, stateful_step_count=50))
