"""The metrics actor: events in, counts out."""

from __future__ import annotations

import asyncio

import pytest

from failsoft.actors import Ref, System
from failsoft.messages.events import (
    ActorFailed,
    BreakerChanged,
    ChildForgotten,
    ChildRestarted,
    DegradationChanged,
    DeviceMemoryReported,
    Event,
    FellBack,
    GenerationCancelled,
    LoopBlocked,
    ModelStateChanged,
    RequestHedged,
    RequestQuarantined,
    RequestResumed,
    RequestRetried,
    RequestShed,
    RestartCalledOff,
    RestartScheduled,
    StandbyPromoted,
    StandbyReady,
    StandbyRefused,
    SubscriberDropped,
    SupervisorEscalated,
    WorkerAbandoned,
    WorkerEnded,
    WorkerHung,
    WorkerReady,
    WorkerWornOut,
)
from failsoft.telemetry import (
    AlertLost,
    AlertSent,
    ErrorSpiked,
    ErrorSpikeEnded,
    HealthChanged,
    MetricsActor,
)

from .happened import fail, finish, value

pytestmark = pytest.mark.anyio

PATH = "root/text/primary"


@pytest.fixture
async def metrics(system: System) -> Ref:
    return await system.spawn(MetricsActor, "metrics")


ASKED = {
    "gen_ai_operation_name": "text_completion",
    "gen_ai_provider_name": "failsoft",
    "gen_ai_request_model": "root/text",
}


async def test_a_finished_request_is_counted_under_the_standard_names(
    system: System, metrics: Ref
) -> None:
    """TL-05 Durations and tokens of those that were answered, by who was asked and who did."""
    finish(system, seconds=0.5, first_seconds=0.1, completion_tokens=5)
    asked = {**ASKED, "gen_ai_response_model": "primary"}
    server = "gen_ai_server_"
    assert await value(metrics, f"{server}request_duration_seconds_sum", **asked) == 0.5
    assert await value(metrics, f"{server}time_to_first_token_seconds_sum", **asked) == 0.1
    per_token = await value(metrics, f"{server}time_per_output_token_seconds_sum", **asked)
    assert per_token == pytest.approx((0.5 - 0.1) / 4)
    tokens = "gen_ai_client_token_usage_sum"
    assert await value(metrics, tokens, **asked, gen_ai_token_type="input") == 7
    assert await value(metrics, tokens, **asked, gen_ai_token_type="output") == 5
    assert await value(metrics, "failsoft_request_queue_seconds_sum", path="root/text") == 0.05


async def test_a_failed_request_has_its_error_and_no_times_of_tokens(
    system: System, metrics: Ref
) -> None:
    """TL-05 By the convention, those are of successful responses."""
    finish(system, outcome="out_of_memory", model_used="")
    failed = {**ASKED, "error_type": "out_of_memory"}
    assert await value(metrics, "gen_ai_server_request_duration_seconds_count", **failed) == 1
    assert await value(metrics, "gen_ai_server_time_to_first_token_seconds_count") is None
    assert await value(metrics, "gen_ai_server_time_per_output_token_seconds_count") is None


async def test_an_answer_of_one_token_has_no_time_per_token(system: System, metrics: Ref) -> None:
    """TL-05 There is none after the first, and nothing to divide by."""
    finish(system, completion_tokens=1)
    assert await value(metrics, "gen_ai_server_time_per_output_token_seconds_count") is None


async def test_the_load_cut_a_request_down(system: System, metrics: Ref) -> None:
    """TL-05 It is counted by level; one that wasn't cut isn't."""
    finish(system)
    finish(system, degradation_level="minimal")
    assert await value(metrics, "failsoft_degraded_requests_total", level="minimal") == 1
    assert await value(metrics, "failsoft_degraded_requests_total", level="full") is None


ROUTER = "root/text"
WHO = {"correlation_id": None}
ONE_EACH: list[tuple[type[Event], str, dict[str, object], str, dict[str, str]]] = [
    (RequestRetried, ROUTER,
     {"round": 1, "delay": 1.0, "cause": "worker_lost", "is_owed": True, **WHO},
     "failsoft_retries_total", {"cause": "worker_lost"}),
    (RequestResumed, ROUTER, {"model": "a", "tokens": 3, "cause": "worker_lost", **WHO},
     "failsoft_resumed_total", {"model": "a"}),
    (RequestHedged, ROUTER, {"model": "a", "hedge": "b", **WHO},
     "failsoft_hedges_total", {"model": "b"}),
    (FellBack, ROUTER, {"model": "a", "cause": "open", **WHO},
     "failsoft_fallbacks_total", {"model": "a", "cause": "open"}),
    (RequestShed, ROUTER, {"model": "a", "priority": 0, **WHO},
     "failsoft_shed_requests_total", {"model": "a"}),
    (RequestQuarantined, ROUTER,
     {"fingerprint": "f", "request": "R", "workers_lost": 2, "seconds": 1.0, **WHO},
     "failsoft_quarantined_requests_total", {}),
    (BreakerChanged, ROUTER,
     {"model": "a", "before": "closed", "after": "open", "reason": "x", "open_seconds": 1.0},
     "failsoft_breaker_changes_total", {"model": "a", "state": "open"}),
    (ActorFailed, PATH, {"error": "WorkerLost: of a signal"},
     "failsoft_actor_failures_total", {"reason": "worker_lost"}),
    (SupervisorEscalated, ROUTER, {"child": "a", "reason": "x"},
     "failsoft_escalations_total", {}),
    (LoopBlocked, PATH, {"seconds": 0.2, "place": "x.py:1"},
     "failsoft_loop_blocked_seconds_count", {}),
    (SubscriberDropped, PATH, {"reason": "full"}, "failsoft_dropped_subscribers_total", {}),
    (WorkerReady, PATH, {"pid": 1, "seconds": 2.0}, "failsoft_worker_load_seconds_count", {}),
    (WorkerHung, PATH, {"pid": 1, "reason": "quiet"}, "failsoft_workers_hung_total", {}),
    (WorkerEnded, PATH, {"pid": 1, "reason": "x", "asked": False},
     "failsoft_workers_lost_total", {}),
    (GenerationCancelled, PATH, {"seconds": 0.1, **WHO}, "failsoft_cancel_seconds_count", {}),
    (StandbyReady, PATH, {"pid": 1, "seconds": 2.0}, "failsoft_worker_load_seconds_count", {}),
    (StandbyPromoted, PATH, {"pid": 1}, "failsoft_standby_promotions_total", {}),
    (StandbyRefused, PATH, {"reason": "full"}, "failsoft_standby_refusals_total", {}),
    (WorkerWornOut, PATH, {"pid": 1, "reason": "fat"}, "failsoft_workers_worn_out_total", {}),
    (WorkerAbandoned, PATH, {"reason": "deaf", "abandoned": 1},
     "failsoft_workers_abandoned_total", {}),
    (AlertSent, PATH, {"alerts": ("a",), "tries": 1}, "failsoft_alerts_sent_total", {}),
    (AlertLost, PATH, {"alerts": ("a",), "tries": 3, "reason": "x"},
     "failsoft_alerts_lost_total", {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "path", "fields", "name", "labels"),
    ONE_EACH,
    ids=[kind.__name__ for kind, *_ in ONE_EACH],
)
async def test_each_event_is_counted(
    system: System,
    metrics: Ref,
    kind: type[Event],
    path: str,
    fields: dict[str, object],
    name: str,
    labels: dict[str, str],
) -> None:
    """TL-05 By the path that it happened at, and what else there are few of."""
    for _ in range(2):
        system.events.publish(kind, path, **fields)
    assert await value(metrics, name, path=path, **labels) == 2


async def test_a_worker_that_was_asked_to_end_is_not_lost(system: System, metrics: Ref) -> None:
    """TL-05 A stop is no fault."""
    system.events.publish(WorkerEnded, PATH, pid=1, reason="asked", asked=True)
    assert await value(metrics, "failsoft_workers_lost_total") is None


async def test_restarts_are_counted_by_why_they_were_due(system: System, metrics: Ref) -> None:
    """TL-05 Of what failed; of those taken along; of nothing that anybody told."""

    def schedule() -> None:
        reason, both = "OSError: /secret/path", ("primary", "understudy")
        publish(RestartScheduled, PATH, attempt=1, delay=1.0, reason=reason, together=both)

    def up(*ids: str) -> None:
        for id in ids:
            publish(ChildRestarted, f"root/text/{id}", restarts=1)

    publish = system.events.publish
    schedule()
    up("primary", "understudy")
    schedule()
    publish(RestartCalledOff, "root/text", children=("primary", "understudy"))
    up("primary")

    async def restarts(id: str, reason: str) -> float | None:
        name = "failsoft_restarts_total"
        return await value(metrics, name, path=f"root/text/{id}", reason=reason)

    assert await restarts("primary", "OSError") == 1
    assert await restarts("understudy", "sibling") == 1
    assert await restarts("primary", "other") == 1


async def test_what_is_now_is_one_state_of_each(system: System, metrics: Ref) -> None:
    """TL-05 A circuit, a model and the load's level are in one state, and not in the others."""
    publish, both = system.events.publish, {"before": "", "after": "ready"}
    for after in ("open", "half_open"):
        publish(
            BreakerChanged, ROUTER, model="a", before="", after=after, reason="", open_seconds=1.0
        )
    publish(ModelStateChanged, PATH, **both)
    publish(DegradationChanged, "root/load", before="", after="reduced", load=0.8, forced=False)
    publish(DeviceMemoryReported, PATH, used_bytes=10, total_bytes=40)
    publish(HealthChanged, "root/health", before="", after="critical", critical_failures=("a",))
    breaker = [
        await value(metrics, "failsoft_breaker_state", path=ROUTER, model="a", state=state)
        for state in ("closed", "open", "half_open")
    ]
    assert breaker == [0, 0, 1]
    assert await value(metrics, "failsoft_model_state", path=PATH, state="ready") == 1
    assert await value(metrics, "failsoft_model_state", path=PATH, state="loading") == 0
    assert await value(metrics, "failsoft_degradation_level", level="reduced") == 1
    assert await value(metrics, "failsoft_degradation_level", level="full") == 0
    assert await value(metrics, "failsoft_load_ratio", path="root/load") == 0.8
    assert await value(metrics, "failsoft_health", state="critical") == 1
    assert await value(metrics, "failsoft_health", state="healthy") == 0
    assert await value(metrics, "failsoft_device_memory_used_bytes", path=PATH) == 10
    assert await value(metrics, "failsoft_device_memory_capacity_bytes", path=PATH) == 40


async def test_a_circuit_that_is_forced_to_where_it_is_has_not_changed(
    system: System, metrics: Ref
) -> None:
    """TL-05 An operator's word is an event, but no change."""
    event = {"model": "a", "before": "open", "after": "open", "reason": "", "open_seconds": 0.0}
    system.events.publish(BreakerChanged, ROUTER, **event)
    assert await value(metrics, "failsoft_breaker_state", model="a", state="open") == 1
    assert await value(metrics, "failsoft_breaker_changes_total") is None


async def test_why_a_restart_is_due_is_remembered_of_the_last_thousand(
    system: System, metrics: Ref
) -> None:
    """TL-07 Restarts that are never told of take no more room than that."""
    publish = system.events.publish
    for number in range(1_001):
        plan = {"attempt": 1, "delay": 1.0, "reason": "KeyError: x"}
        publish(RestartScheduled, f"root/{number}", **plan)
    for number in (0, 1):
        publish(ChildRestarted, f"root/{number}", restarts=1)
    name = "failsoft_restarts_total"
    assert await value(metrics, name, path="root/0", reason="other") == 1
    assert await value(metrics, name, path="root/1", reason="KeyError") == 1


async def test_a_child_that_is_gone_for_good_has_no_state_but_its_counts(
    system: System, metrics: Ref
) -> None:
    """TL-05 Nor has what was below it; a neighbour whose name begins alike keeps its own."""
    publish = system.events.publish
    for path in ("root/pool/a", "root/pool/a/model", "root/pool/ab"):
        publish(ModelStateChanged, path, before="", after="ready")
        publish(WorkerHung, path, pid=1, reason="")
    publish(ChildForgotten, "root/pool/a", reason="normal")

    async def state(path: str) -> float | None:
        return await value(metrics, "failsoft_model_state", path=path, state="ready")

    assert await state("root/pool/a") is None
    assert await state("root/pool/a/model") is None
    assert await state("root/pool/ab") == 1
    assert await value(metrics, "failsoft_workers_hung_total", path="root/pool/a") == 1


async def test_a_candidate_that_is_gone_for_good_has_no_circuit(
    system: System, metrics: Ref
) -> None:
    """TL-05 What its router tells of it goes with it; the others' stays."""
    event = {"before": "closed", "after": "open", "reason": "", "open_seconds": 1.0}
    for model in ("a", "ab"):
        system.events.publish(BreakerChanged, ROUTER, model=model, **event)
    system.events.publish(ChildForgotten, f"{ROUTER}/a", reason="shutdown")
    name = "failsoft_breaker_state"
    assert await value(metrics, name, path=ROUTER, model="a", state="open") is None
    assert await value(metrics, name, path=ROUTER, model="ab", state="open") == 1


async def test_the_lag_of_the_loop_is_looked_at_each_second(system: System, metrics: Ref) -> None:
    """TL-05 In virtual time there is none."""
    await asyncio.sleep(3.5)
    assert await value(metrics, "failsoft_loop_lag_seconds_count") == 3
    assert await value(metrics, "failsoft_loop_lag_seconds_sum") == 0


async def test_the_loops_tasks_are_counted_at_each_scrape(system: System, metrics: Ref) -> None:
    """TL-05 One that has ended isn't there any more."""
    before = await value(metrics, "failsoft_event_loop_tasks")
    assert before is not None
    task = asyncio.create_task(asyncio.Event().wait())
    assert await value(metrics, "failsoft_event_loop_tasks") == before + 1
    task.cancel()
    await asyncio.wait([task])
    assert await value(metrics, "failsoft_event_loop_tasks") == before


async def test_a_spike_shows_while_it_lasts(system: System, metrics: Ref) -> None:
    """TL-01 1, then 0."""
    spike = {"error_type": "out_of_memory", "rate": 9.0, "usual": 1.0}
    system.events.publish(ErrorSpiked, "root/errors", **spike)
    assert await value(metrics, "failsoft_error_spike", error_type="out_of_memory") == 1
    system.events.publish(ErrorSpikeEnded, "root/errors", **spike, seconds=60.0)
    assert await value(metrics, "failsoft_error_spike", error_type="out_of_memory") == 0


async def test_a_flood_of_events_drops_the_oldest_and_says_so(system: System, metrics: Ref) -> None:
    """TL-07 RT-23 Whoever publishes goes on, the mailbox stays at its bound, losses are counted."""
    bound = MetricsActor.mailbox_bound
    for _ in range(bound + 100):
        fail(system, "generation_failed")
    # One event more made room for the question.
    assert await value(metrics, "failsoft_dead_letters_total", reason="drop_oldest") == 101
    name = "gen_ai_server_request_duration_seconds_count"
    assert await value(metrics, name, error_type="generation_failed") == bound - 1
    # What is lost is counted once, however often one asks.
    assert await value(metrics, "failsoft_dead_letters_total", reason="drop_oldest") == 101
