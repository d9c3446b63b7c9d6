"""The metrics actor: events in, text that Prometheus's own parser reads out."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from failsoft.actors import Ref, System
from failsoft.messages.events import (
    ActorFailed,
    ChildRestarted,
    DeadLettered,
    FellBack,
    ModelStateChanged,
    RequestFinished,
    WorkerHung,
    WorkerReady,
)
from failsoft.supervisors import NO_WAIT, child, supervisor
from failsoft.telemetry import Metrics, MetricsActor, Scrape

pytestmark = pytest.mark.anyio


async def samples(metrics: Ref) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = (await metrics.ask(Scrape())).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def finished(**fields: object) -> dict[str, object]:
    return {
        "request": "GenerateText",
        "outcome": "ok",
        "seconds": 0.2,
        "first_seconds": 0.1,
        "model_used": "primary",
        "was_fallback": False,
        "attempts": 1,
        "prompt_tokens": 7,
        "completion_tokens": 5,
        "correlation_id": None,
        **fields,
    }


async def test_a_finished_request_is_counted_under_the_standard_names() -> None:
    """TL-05 Duration, time to first token and tokens, in seconds and by model."""
    async with System() as system:
        metrics = await system.spawn(MetricsActor, "metrics")
        system.events.publish(RequestFinished, "text", **finished())
        system.events.publish(RequestFinished, "text", **finished(outcome="out_of_memory"))
        found = await samples(metrics)
    asked = (("gen_ai_operation_name", "GenerateText"), ("gen_ai_request_model", "primary"))
    ok = (*asked, ("outcome", "ok"))
    assert found["gen_ai_server_request_duration_seconds_count", ok] == 1
    assert found["gen_ai_server_request_duration_seconds_sum", ok] == 0.2
    assert found["gen_ai_server_time_to_first_token_seconds_count", asked] == 2
    output = tuple(sorted((*asked, ("gen_ai_token_type", "output"))))
    assert found["gen_ai_client_token_usage_total", output] == 10


async def test_what_happens_in_the_tree_is_counted_by_path() -> None:
    """TL-05 Failures, restarts, hangs, fallbacks, loads, states and dead letters."""
    async with System() as system:
        metrics = await system.spawn(MetricsActor, "metrics")
        publish, path = system.events.publish, "root/text/primary"
        publish(ActorFailed, path, error="boom")
        publish(ChildRestarted, path, restarts=1)
        publish(WorkerHung, path, pid=1, reason="quiet")
        publish(WorkerReady, path, pid=1, seconds=2.0)
        publish(ModelStateChanged, path, before="loading", after="ready")
        publish(FellBack, "root/text", model="primary", cause="worker_lost", correlation_id=None)
        publish(DeadLettered, path, message_type="X", reason="late reply")
        found = await samples(metrics)
    at = (("path", path),)
    for name in ("failures_total", "restarts_total", "hung_total", "worker_load_seconds_count"):
        assert found[f"failsoft_{name}", at] == 1
    fallback = (("cause", "worker_lost"), ("model", "primary"), ("path", "root/text"))
    assert found["failsoft_fallbacks_total", fallback] == 1
    assert found["failsoft_model_state", (*at, ("state", "ready"))] == 1
    assert found["failsoft_model_state", (*at, ("state", "loading"))] == 0
    assert found["failsoft_dead_letters_total", (("reason", "late reply"),)] == 1


async def test_counts_go_on_after_a_restart_of_the_metrics_actor() -> None:
    """TL-08 The metrics outlive the actor, and its new incarnation hears events again."""
    kept = Metrics()
    async with System() as system:
        tree = supervisor("root", child("metrics", lambda: MetricsActor(kept)), backoff=NO_WAIT)
        await system.spawn(tree.start, "root")
        metrics = system.ref("root/metrics")
        system.events.publish(ChildRestarted, "root/a", restarts=1)
        await metrics.ask(Scrape())
        metrics.address.crash(RuntimeError("telemetry is down"))  # type: ignore[attr-defined]
        await metrics.ask(Scrape())  # waits for the new incarnation
        system.events.publish(ChildRestarted, "root/a", restarts=2)
        found = await samples(metrics)
    assert found["failsoft_restarts_total", (("path", "root/a"),)] == 2


async def test_a_flood_of_events_drops_the_oldest_and_fails_nobody() -> None:
    """TL-07 RT-23 Whoever publishes goes on, and the mailbox stays at its bound."""
    async with System() as system:
        metrics = await system.spawn(MetricsActor, "metrics")
        for _ in range(2 * MetricsActor.mailbox_bound):
            system.events.publish(ChildRestarted, "root/a", restarts=1)
        assert system.tree()[0].work_depth == MetricsActor.mailbox_bound
        assert system.dead_letters.counts() == {"drop_oldest": MetricsActor.mailbox_bound}
        assert metrics.is_alive
