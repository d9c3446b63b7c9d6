"""The text that /metrics gives: Prometheus's own parser and rules, and the bound of labels."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families

from failsoft.actors import Actor, Ref, System, handles
from failsoft.messages import GenerateText, GenerationFailed, TextReply, Usage
from failsoft.messages.events import Event, FellBack, WorkerHung
from failsoft.supervisors import candidate, router
from failsoft.telemetry import Metrics, MetricsActor, Scrape, tree_metrics
from failsoft.telemetry.active_requests import ActiveRequests
from failsoft.telemetry.families import Family

from .happened import finish, finish_http, scraped, value
from .test_metrics import ONE_EACH

pytestmark = pytest.mark.anyio

SECRET = "my secret prompt"
PROMTOOL = shutil.which("promtool")


def publish_all(system: System) -> None:
    """Have each family but those of no event have a series."""
    finish(system)
    finish_http(system)
    system.extension(ActiveRequests).begin(("POST", "http"))
    for kind, path, fields, *_ in ONE_EACH:
        system.events.publish(kind, path, **fields)


async def test_all_of_it_parses_and_keeps_the_rules_for_names(system: System) -> None:
    """TL-05 HELP and a type each, snake case, base units at the end, counters end in _total."""
    metrics = await system.spawn(MetricsActor, "metrics")
    publish_all(system)
    text = (await metrics.ask(Scrape())).decode()
    families = [
        family
        for family in text_string_to_metric_families(text)
        if not family.name.endswith("_created")  # the client's own, beside each counter
    ]
    assert len(families) > 30
    for family in families:
        assert family.documentation.endswith("."), family.name
        assert family.type in ("counter", "gauge", "histogram"), family.name
        assert re.fullmatch(r"(failsoft|gen_ai|http_server)_[a-z_]+", family.name), family.name
        is_histogram = family.type == "histogram"
        # Tokens are the one unit that the convention doesn't put into the name.
        is_named = family.name.endswith(("_seconds", "_token_usage"))
        assert not is_histogram or is_named, family.name
        assert not family.name.endswith(("_milliseconds", "_ms", "_mb", "_percent")), family.name
        assert not re.search(r"_(counter|gauge|histogram)", family.name), family.name
        assert "_total" not in family.name, family.name  # the parser took a counter's off
        for sample in family.samples:
            is_total = sample.name.endswith("_total")
            assert is_total == (family.type == "counter"), sample.name


@pytest.mark.skipif(PROMTOOL is None, reason="promtool isn't installed (Debian: prometheus)")
async def test_promtool_finds_nothing_to_say(system: System) -> None:
    """TL-05 Prometheus's own check of the text and of its names."""
    metrics = await system.spawn(MetricsActor, "metrics")
    publish_all(system)
    done = check_metrics(await metrics.ask(Scrape()))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def check_metrics(text: bytes) -> subprocess.CompletedProcess[bytes]:
    command = [str(PROMTOOL), "check", "metrics"]
    return subprocess.run(command, input=text, capture_output=True, timeout=60)


async def test_each_family_has_a_series_in_the_test_above(system: System) -> None:
    """So that none is left unchecked, but for those that the tree's picture sets."""
    kept = Metrics()
    await system.spawn(lambda: MetricsActor(kept), "metrics")
    publish_all(system)
    await system.ref("metrics").ask(Scrape())
    empty = {
        name
        for name, family in vars(kept).items()
        if isinstance(family, Family) and not len(family)
    }
    of_states = {"model_state", "degradation", "load", "spike", "device_used", "device_capacity"}
    of_states |= {"health", "batch", "worker_memory", "worker_device_memory"}
    of_routers = {"in_flight", "waiting"}
    rare = {"restarts", "degraded", "dead_letters", "refused", "loop_lag"}
    assert empty == of_states | of_routers | rare


async def test_the_build_is_told(system: System) -> None:
    """TL-05 Its version is a label of a constant."""
    metrics = await system.spawn(MetricsActor, "metrics")
    (build,) = [s for s in await scraped(metrics) if s.name == "failsoft_build_info"]
    assert build.value == 1
    assert re.match(r"\d+\.\d+", build.labels["version"])


async def test_openmetrics_has_a_correlation_id_to_look_a_request_up_by(system: System) -> None:
    """TL-06 An id that is too long for an exemplar is left out, its request isn't."""
    metrics = await system.spawn(MetricsActor, "metrics")
    publish_all(system)
    finish(system, seconds=100.0, correlation_id="c" * 128)
    text = (await metrics.ask(Scrape("openmetrics"))).decode()
    duration = next(
        family
        for family in openmetrics_families(text)  # type: ignore[no-untyped-call]
        if family.name == "gen_ai_server_request_duration_seconds"
    )
    found = [sample.exemplar.labels for sample in duration.samples if sample.exemplar]
    assert found == [{"correlation_id": "c-1"}]
    assert [s.value for s in duration.samples if s.name.endswith("_count")] == [2]


class Broken(Actor):
    @handles(GenerateText)
    def generate(self, request: GenerateText) -> TextReply:
        raise GenerationFailed(f"it can't say {request.prompt}")


class Fine(Actor):
    @handles(GenerateText)
    def generate(self, request: GenerateText) -> TextReply:
        return TextReply(f"{request.prompt}", "stop", Usage(3, 3))


async def test_nothing_that_a_caller_wrote_is_a_label(system: System) -> None:
    """TL-05 Through a real router: not the prompt, the tenant, the correlation id, nor an error."""
    metrics = await system.spawn(MetricsActor, "metrics")
    tree = router("text", candidate("broken", Broken), candidate("fine", Fine))
    text = await system.spawn(tree.start, tree.id)
    await text.ask(GenerateText(SECRET, tenant=SECRET, stop=(SECRET,)))
    written = (await metrics.ask(Scrape())).decode()
    assert SECRET not in written
    assert await value(metrics, "failsoft_fallbacks_total", model="broken") == 1
    assert await value(metrics, "failsoft_actor_failures_total", reason="generation_failed") == 1


class Loaded(Actor):
    def inspect(self) -> dict[str, object]:
        return {"load": None, "degradation_level": "reduced"}


@pytest.mark.parametrize("is_late", [True, False])
async def test_the_picture_of_the_tree_tells_what_no_event_has(
    system: System, monkeypatch: pytest.MonkeyPatch, is_late: bool
) -> None:
    """TL-08 Circuits that never changed, and queues: as the actor starts, and at each scrape."""
    tree = router("text", candidate("fine", Fine))
    if not is_late:
        await system.spawn(MetricsActor, "metrics")
    await system.spawn(tree.start, tree.id)
    await system.spawn(Loaded, "load")
    if is_late:
        monkeypatch.setattr(tree_metrics, "MOST_ACTORS", 0)
        await system.spawn(MetricsActor, "metrics")
    metrics = system.ref("metrics")
    assert await value(metrics, "failsoft_degradation_level", level="reduced") == 1
    assert await value(metrics, "failsoft_load_ratio") is None
    at = {"path": "text", "model": "fine"}
    assert await value(metrics, "failsoft_breaker_state", **at, state="closed") == 1
    assert await value(metrics, "failsoft_breaker_state", **at, state="open") == 0
    assert await value(metrics, "failsoft_in_flight_requests", **at) == 0
    assert await value(metrics, "failsoft_waiting_requests", **at) == 0
    assert await value(metrics, "failsoft_mailbox_messages", path="text", lane="work") == 0


async def test_of_a_very_large_tree_a_scrape_reads_only_those_with_children(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What routers and pools know of their models is right; of the many models nothing is told.

    Nor what was true of them while there were fewer.
    """
    await system.spawn(MetricsActor, "metrics")
    await system.spawn(router("text", candidate("fine", Fine)).start, "text")
    metrics = system.ref("metrics")
    assert await value(metrics, "failsoft_mailbox_messages", path="text/fine", lane="work") == 0
    monkeypatch.setattr(tree_metrics, "MOST_ACTORS", 2)
    assert await value(metrics, "failsoft_in_flight_requests", path="text", model="fine") == 0
    assert await value(metrics, "failsoft_mailbox_messages", path="text", lane="work") == 0
    assert await value(metrics, "failsoft_mailbox_messages", path="text/fine", lane="work") is None


async def test_many_workers_leave_a_router_its_name(system: System) -> None:
    """TL-05 A pool's workers have taken all values of ``path`` before the router is heard of."""
    metrics = await system.spawn(lambda: MetricsActor(Metrics(most_values=5)), "metrics")
    for number in range(10):
        system.events.publish(WorkerHung, f"root/text/pool/{number}", pid=1, reason="quiet")
    at = "root/text"
    system.events.publish(FellBack, at, model="pool", cause="open", correlation_id=None)
    fallbacks = {"path": at, "model": "pool", "cause": "open"}
    assert await value(metrics, "failsoft_fallbacks_total", **fallbacks) == 1


async def test_values_beyond_the_bound_are_other_and_that_is_counted(system: System) -> None:
    """TL-05 TL-07 Twice as many paths as there is room for: the sum is right, the rest is told."""
    metrics = await system.spawn(lambda: MetricsActor(Metrics(most_values=5)), "metrics")
    for number in range(10):
        system.events.publish(WorkerHung, f"root/pool/{number}", pid=1, reason="quiet")
    hung = {
        sample.labels["path"]: sample.value
        for sample in await scraped(metrics)
        if sample.name == "failsoft_workers_hung_total"
    }
    assert hung == {**{f"root/pool/{number}": 1 for number in range(5)}, "other": 5}
    assert await value(metrics, "failsoft_refused_labels_total", label="path") == 5


async def test_combinations_beyond_the_bound_are_one_series(system: System) -> None:
    """TL-05 TL-07 Few values of each label make many together."""
    metrics = await system.spawn(lambda: MetricsActor(Metrics(most_series=4)), "metrics")
    for path in "abc":
        for model in "xyz":
            system.events.publish(FellBack, path, model=model, cause="open", correlation_id=None)
    fallbacks = [s for s in await scraped(metrics) if s.name == "failsoft_fallbacks_total"]
    assert len(fallbacks) == 5
    assert await value(metrics, "failsoft_fallbacks_total", path="other", model="other") == 5


async def test_a_level_that_there_is_no_room_for_is_left_out(system: System) -> None:
    """TL-05 Levels don't add up: ``other`` would be the last one's."""
    kept = Metrics(most_values=2)
    await system.spawn(lambda: MetricsActor(kept), "metrics")
    metrics: Ref = system.ref("metrics")
    for number in range(3):
        await system.spawn(Fine, f"fine-{number}")
    paths = {
        s.labels["path"] for s in await scraped(metrics) if s.name == "failsoft_mailbox_messages"
    }
    assert len(paths) <= 2
    assert "other" not in paths


def test_an_event_without_a_metric_is_one_that_is_meant_to_have_none() -> None:
    """LAW-9 A new kind of event isn't forgotten here."""
    quiet = {
        *("ActorStarted", "ActorStopping", "ActorStopped", "ChildStarting", "SupervisorCompleted"),
        *("ReplicaAdded", "ReplicaDenied", "ReplicaRemoved", "RolloutEnded"),
        *("ChildCooledDown", "ModelLoading", "WorkerSpawned", "DeadLettered"),
        *("AttemptEnded", "RequestServed", "AlertsChanged", "UnknownEvent"),
        "FlightWritten",
    }
    ours = [kind for kind in Event.__subclasses__() if kind.__module__.startswith("failsoft.")]
    unheard = {kind.__name__ for kind in ours if kind not in MetricsActor.message_handlers}
    assert unheard == quiet
