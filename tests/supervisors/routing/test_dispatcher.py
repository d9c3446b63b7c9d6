"""The dispatcher alone: what the order of events may bring about, one thing at a time."""

from __future__ import annotations

import pytest

from failsoft.actors import ActorStopped, RemoteSpec
from failsoft.actors.remote_errors import error_in_stream
from failsoft.messages import (
    GenerateText,
    GenerationFailed,
    InferenceTimeout,
    InvalidInput,
    ModelOverloaded,
    PoisonedRequest,
    WorkerLost,
)
from failsoft.messages.events import RequestHedged
from failsoft.supervisors import Backoff, Breaker, Budget, Hedge, Poison, RoutePolicy, candidate
from failsoft.supervisors.routing.moves import Answer, GiveUp, Refuse
from failsoft.supervisors.routing.route import Route

from .crowd_actors import fixed
from .dispatcher_world import FINE, World
from .router_actors import scripted

NOBODY = scripted("nobody")
CALM = RoutePolicy(retries=0, degradation=None)


def world(*ids: str, policy: RoutePolicy = CALM) -> World:
    """Give a world whose models are ready."""
    made = World([candidate(id, NOBODY) for id in ids], policy)
    for id in ids:
        made.start(id)
    return made


def error_of(made: World, route: Route) -> Exception:
    """Give the error that a request was refused with."""
    end = made.ends[id(route)]
    assert isinstance(end, Refuse)
    return end.error


def test_what_was_called_off_may_end_as_it_likes() -> None:
    """RT-08 An answer, an error and a first chunk that come late change nothing."""
    made = world("a", "b")
    route = made.arrive()
    (attempt,) = made.at("a")
    made.leave(route)
    assert isinstance(made.ends[id(route)], GiveUp)
    dispatcher = made.dispatcher
    assert dispatcher.answered(attempt, FINE, made.now) == []
    assert dispatcher.failed(attempt, WorkerLost("gone"), made.now) == []
    assert dispatcher.began(attempt, made.now) == []
    assert dispatcher.hedge(attempt, made.now) == []
    assert dispatcher.due(route, made.now) == []
    assert dispatcher.left(route, made.now) == []


def test_one_that_comes_with_its_deadline_past_is_a_timeout() -> None:
    """RT-05 No model hears of it."""
    made = world("a")
    route = made.arrive(timeout=0.0)
    assert isinstance(error_of(made, route), InferenceTimeout)
    assert made.sent == []


def test_a_slot_that_is_free_at_the_very_deadline_is_not_for_it() -> None:
    """RT-06 It waited in line for as long as it had."""
    made = world("a", policy=RoutePolicy(admission=fixed(1)))
    made.arrive()
    late = made.arrive(timeout=5)
    made.now = 5.0  # the loop is late: its timer has yet to fire
    made.answer(made.at("a")[0])
    assert isinstance(error_of(made, late), InferenceTimeout)
    assert len(made.sent) == 1


def test_a_models_own_timeout_is_a_failure_as_any_other() -> None:
    """FB-01 There is time left, so the next one is asked."""
    made = world("a", "b")
    route = made.arrive(timeout=60)
    made.fail(made.at("a")[0], InferenceTimeout.after(1.0))
    made.answer(made.at("b")[0])
    assert isinstance(made.ends[id(route)], Answer)
    assert (route.model, route.tried) == ("b", {"a": "inference_timeout"})


def test_a_models_timeout_at_the_deadline_is_the_answer() -> None:
    """WK-12 With the tokens that it had made by then; nobody else is asked."""
    made = world("a", "b")
    route = made.arrive(timeout=5)
    made.now = 5.0
    made.fail(made.at("a")[0], InferenceTimeout.after(5.0, tokens=7))
    said = error_of(made, route)
    assert isinstance(said, InferenceTimeout)
    assert (said.details["tokens"], made.at("b")) == (7, [])


def test_what_a_model_had_yet_to_begin_when_it_ended_goes_on_elsewhere() -> None:
    """RT-11 FB-01 And counts as no try."""
    made = world("a", "b")
    route = made.arrive()
    made.ready("a", False)
    made.ended("a", starts_in=600)
    (attempt,) = made.at("b")
    assert (attempt.route, route.sends, made.at("a")) == (route, 1, [])


def test_a_stream_under_way_is_not_sent_again() -> None:
    """FB-06 It ends by its own model's error."""
    made = world("a", "b")
    route = made.arrive(is_stream=True)
    (attempt,) = made.at("a")
    made.begin(attempt)
    made.ready("a", False)
    made.fail(attempt, WorkerLost("gone", details={"begun": True}))
    made.ended("a", starts_in=1)
    assert isinstance(error_of(made, route), WorkerLost)
    assert len(made.sent) == 1


def test_of_two_under_way_a_final_error_ends_both() -> None:
    """FB-02 Each is called off or ended, and there is one answer."""
    policy = RoutePolicy(hedge=Hedge(minimum=1, least_seconds=0.0), retries=0, degradation=None)
    made = world("a", "b", policy=policy)
    made.arrive()
    made.advance(1)
    made.answer(made.at("a")[0])
    route = made.arrive()
    made.advance(1)
    assert (len(made.live), made.told[RequestHedged.__name__]) == (2, 1)
    made.fail(made.at("b")[0], InvalidInput("no"))
    assert isinstance(error_of(made, route), InvalidInput)
    assert made.live == {}


def test_the_line_is_sent_on_when_the_circuit_opens() -> None:
    """BR-04 FB-01 Nobody waits for a model that gets nothing."""
    made = world(
        "a",
        "b",
        policy=RoutePolicy(
            admission=fixed(1),
            breaker=Breaker(consecutive_failures=1),
            degradation=None,
            while_busy="wait",
        ),
    )
    routes = [made.arrive() for _ in range(3)]
    assert [route.line and route.line.id for route in routes] == [None, "a", "a"]
    made.fail(made.at("a")[0], GenerationFailed("broken").as_answer())
    assert [attempt.route for attempt in made.at("b")] == [routes[1]]
    assert [route.line and route.line.id for route in routes] == ["b", None, "b"]


def test_of_busy_models_the_one_with_the_shortest_wait_is_queued_for() -> None:
    """FB-01 Else the first one's queue would grow, while those after it are soon without work."""
    policy = RoutePolicy(admission=fixed(1), retries=0, degradation=None)
    made = world("slow", "quick", policy=policy)
    routes = [made.arrive() for _ in range(3)]
    assert [route.line and route.line.id for route in routes] == [None, None, "slow"]
    made.advance(1)
    made.answer(made.at("quick")[0])
    made.advance(9)
    made.answer(made.at("slow")[0])
    assert [attempt.route for attempt in made.at("slow")] == [routes[2]]
    routes = [made.arrive() for _ in range(4)]
    assert [route.line and route.line.id for route in routes] == [None, "quick", "quick", "quick"]


def test_a_model_that_has_answered_nothing_yet_is_queued_for_last() -> None:
    """FB-01 It may be slow, and all that comes until it has answered would wait for it."""
    policy = RoutePolicy(admission=fixed(1), retries=0, degradation=None)
    made = world("quick", "slow", policy=policy)
    made.arrive()
    made.arrive()
    made.advance(1)
    made.answer(made.at("quick")[0])
    routes = [made.arrive() for _ in range(4)]
    assert [route.line and route.line.id for route in routes] == [None, "quick", "quick", "quick"]


def test_those_like_a_poison_that_wait_are_refused_and_not_sent() -> None:
    """WK-10 Also where the same failure opens the circuit, and so scatters the line."""
    made = world(
        "a",
        "b",
        policy=RoutePolicy(
            admission=fixed(1),
            breaker=Breaker(consecutive_failures=2),
            degradation=None,
            while_busy="wait",
        ),
    )
    made.arrive(GenerateText("deadly"))
    lost = WorkerLost("gone", details={"begun": True})
    made.fail(made.at("a")[0], lost)
    waiting = made.arrive(GenerateText("lovely"))  # a has it
    like = made.arrive(GenerateText("deadly"))
    assert (waiting.line, like.line and like.line.id) == (None, "a")
    made.fail(made.at("b")[0], lost)
    made.fail(made.at("a")[0], GenerationFailed("broken").as_answer())
    assert isinstance(error_of(made, like), PoisonedRequest)


def test_one_that_took_two_workers_down_is_poison_though_its_like_was_answered() -> None:
    """WK-10 What absolves the others doesn't absolve it."""
    made = world("a", "b", "c")
    route, like = made.arrive(), made.arrive()
    lost = WorkerLost("gone", details={"begun": True})
    made.fail(route.attempts[0], lost)
    made.answer(like.attempts[0])
    made.fail(route.attempts[0], lost)
    assert isinstance(error_of(made, route), PoisonedRequest)
    assert route.sends == 2


def test_what_is_remembered_of_losses_is_bounded() -> None:
    """WK-10 Of a model that is neither restarted nor answers anybody, such as one elsewhere."""
    policy = RoutePolicy(breaker=None, retries=0, degradation=None, poison=Poison(most=3))
    made = world("there", policy=policy)
    for number in range(10):
        made.arrive(GenerateText(f"prompt {number}"))
        lost = WorkerLost("It was lost.", details={"begun": True, "worker": number})
        made.fail(made.at("there")[0], lost.as_answer())
    assert 0 < len(made.targets["there"].blamed) <= 3
    made.finish()


def test_what_a_server_elsewhere_lost_is_tried_again_at_the_budget_s_cost() -> None:
    """RY-03 It has workers and tries of its own, and is ready all the same: it would be flooded."""
    body = (
        b'{"error": {"code": "worker_lost", "message": "It was lost.", '
        b'"failsoft": {"details": {"begun": false}, "is_retryable": true}}}'
    )
    lost = error_in_stream(body, RemoteSpec(base_url="http://there/v1", model="m"))
    assert isinstance(lost, WorkerLost)
    policy = RoutePolicy(budget=Budget(ratio=0, most=1, per_second=0), degradation=None)
    # given
    made = world("there", policy=policy)
    for _ in range(5):
        made.arrive()
    # when
    for attempt in tuple(made.live.values()):
        made.fail(attempt, lost)
    # then
    assert made.live == {}
    made.advance(60.0)
    assert len(made.sent) == 6
    made.finish()


def test_a_retry_waits_for_the_budget_to_allow_it_and_not_longer() -> None:
    """RY-03 The second of two that fail at once has its error at once."""
    policy = RoutePolicy(
        budget=Budget(ratio=0, most=1, per_second=0),
        retry_backoff=Backoff(jitter=False),
        degradation=None,
    )
    made = world("a", policy=policy)
    first, second = made.arrive(), made.arrive()
    for attempt in made.at("a"):
        made.fail(attempt, ModelOverloaded("busy"))
    assert (first.stage.value, second.stage.value) == ("pausing", "over")
    made.advance(1)
    made.answer(made.at("a")[0])
    assert isinstance(made.ends[id(first)], Answer)


@pytest.mark.parametrize("where", ["line", "pause", "load"])
def test_at_the_end_all_that_wait_are_refused(where: str) -> None:
    """RT-11 In line, between two rounds, or for a model that loads."""
    policy = RoutePolicy(admission=fixed(1), degradation=None, budget=None)
    made = world("a", policy=policy)
    if where == "load":
        made.ready("a", False)
    elif where == "line":
        made.arrive()
    route = made.arrive()
    if where == "pause":
        made.fail(made.at("a")[0], ModelOverloaded("busy"))
        assert route.stage.value == "pausing"
    made.do(made.dispatcher.shut_down("text", "shutdown", made.now))
    assert isinstance(error_of(made, route), ActorStopped)
    made.finish()


def test_a_hedge_that_lost_does_not_count_as_quick() -> None:
    """The second model's usual time is that of its answers."""
    policy = RoutePolicy(hedge=Hedge(minimum=1, least_seconds=0.0), degradation=None)
    made = world("a", "b", policy=policy)
    made.arrive()
    made.advance(1)
    made.answer(made.at("a")[0])
    made.arrive()
    made.advance(1.25)
    assert len(made.at("b")) == 1
    made.answer(made.at("a")[0])
    times = made.targets["b"].first_answers
    assert times is not None
    assert times.statistics().kept == 0


def test_a_poison_that_is_hedged_is_refused_once() -> None:
    """WK-10 RT-08 It is under way at two models when its like is found out."""
    policy = RoutePolicy(
        hedge=Hedge(minimum=1, least_seconds=0.0), degradation=None, poison=Poison(workers_lost=1)
    )
    made = world("a", "b", policy=policy)
    made.arrive()
    made.advance(1)
    made.answer(made.at("a")[0])
    route = made.arrive()
    made.advance(1)
    assert len(route.attempts) == 2
    made.fail(made.at("a")[0], WorkerLost("gone", details={"begun": True}))
    assert isinstance(error_of(made, route), PoisonedRequest)
    assert made.live == {}
    made.finish()
