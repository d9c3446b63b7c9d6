"""The alerts actor: which events make alerts, who hears of them, and that it outlives a restart."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from failsoft.actors import Ref, System
from failsoft.messages.events import (
    ActorFailed,
    BreakerChanged,
    ChildCooledDown,
    ChildForgotten,
    ChildRestarted,
    Event,
    ModelStateChanged,
    SupervisorEscalated,
    WorkerHung,
    WorkerReady,
)
from failsoft.supervisors import child, supervisor
from failsoft.telemetry import (
    AlertBook,
    AlertLost,
    AlertReceiver,
    AlertsActor,
    AlertsChanged,
    AlertSent,
    ErrorSpiked,
    ErrorSpikeEnded,
    GetAlerts,
    HealthChanged,
)

from .scripted_destination import scripted

pytestmark = pytest.mark.anyio

PATH = "root/text/primary"
EPOCH = 1_800_000_000.0


@pytest.fixture
async def alerts(system: System) -> Ref:
    return await system.spawn(
        lambda: AlertsActor(source="gpu-1", wall_clock=lambda: EPOCH), "alerts"
    )


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    with capture_logs() as lines:
        yield lines


def told(events: list[Event]) -> list[tuple[str, str, str, str]]:
    """Give each alert that was told: severity, name, status, summary."""
    return [
        (alert.severity, alert.name, alert.status, alert.summary)
        for event in events
        if isinstance(event, AlertsChanged)
        for alert in event.alerts
    ]


def change(system: System, after: str, before: str = "closed", model: str = "primary") -> None:
    system.events.publish(
        BreakerChanged,
        "root/text",
        model=model,
        before=before,
        after=after,
        reason="5 failures",
        open_seconds=5.0,
    )


async def test_a_circuit_that_opens_is_told_and_its_end_too(
    system: System, alerts: Ref, events: list[Event]
) -> None:
    """TL-02 Once each; half-open is neither."""
    change(system, "open")
    await asyncio.sleep(5)
    change(system, "half_open", "open")
    change(system, "open", "half_open")
    await asyncio.sleep(5)
    change(system, "half_open", "open")
    change(system, "closed", "half_open")
    await asyncio.sleep(5)
    name, said = "circuit_open:root/text/primary", "the circuit in front of primary is open"
    assert [(severity, of, status) for severity, of, status, _ in told(events)] == [
        ("error", name, "firing"),
        ("error", name, "resolved"),
    ]
    assert all(summary.startswith(said) for _, _, _, summary in told(events))


async def test_a_storm_is_told_as_one(system: System, alerts: Ref, events: list[Event]) -> None:
    """TL-02 With a new id each, the time, and whose it is."""
    for number in range(50):
        change(system, "open", model=f"m{number}")
    await asyncio.sleep(10)
    change(system, "open", model="late")
    await asyncio.sleep(10)
    first, second = (event for event in events if isinstance(event, AlertsChanged))
    assert (len(first.alerts), len(second.alerts)) == (50, 1)
    assert (first.path, first.source, first.time) == ("alerts", "gpu-1", EPOCH)
    assert first.epoch(first.at - 2) == EPOCH - 2
    assert len({first.id, second.id}) == 2


@pytest.mark.parametrize(
    ("begins", "ends", "name", "severity"),
    [
        (
            (ErrorSpiked, "errors", {"error_type": "out_of_memory", "rate": 9.0, "usual": 1.0}),
            (
                ErrorSpikeEnded,
                "errors",
                {"error_type": "out_of_memory", "rate": 1.0, "usual": 1.0, "seconds": 60.0},
            ),
            "error_spike:out_of_memory",
            "error",
        ),
        (
            (SupervisorEscalated, "root/text", {"child": "primary", "reason": "too many"}),
            (ChildRestarted, "root/text", {"restarts": 1}),
            "supervisor_escalated:root/text",
            "critical",
        ),
        (
            (WorkerHung, PATH, {"pid": 1, "reason": "quiet"}),
            (WorkerReady, PATH, {"pid": 2, "seconds": 1.0}),
            f"worker_hung:{PATH}",
            "error",
        ),
        (
            (ChildCooledDown, PATH, {"seconds": 60.0, "reason": "the prompt"}),
            (ChildRestarted, PATH, {"restarts": 9}),
            f"model_left_alone:{PATH}",
            "error",
        ),
        (
            (ModelStateChanged, PATH, {"before": "loading", "after": "failed"}),
            (ModelStateChanged, PATH, {"before": "loading", "after": "ready"}),
            f"model_not_ready:{PATH}",
            "error",
        ),
        (
            (
                HealthChanged,
                "health",
                {"before": "healthy", "after": "critical", "critical_failures": ("gpu", "disk")},
            ),
            (
                HealthChanged,
                "health",
                {"before": "critical", "after": "degraded", "critical_failures": ()},
            ),
            "health_critical:health",
            "critical",
        ),
        (
            (AlertLost, "slack", {"alerts": ("x:y",), "tries": 4, "reason": "it refused"}),
            (AlertSent, "slack", {"alerts": ("x:y",), "tries": 1}),
            "alert_lost:slack",
            "warning",
        ),
        (
            (WorkerHung, PATH, {"pid": 1, "reason": "quiet"}),
            (ChildForgotten, PATH, {"reason": "taken out"}),
            f"worker_hung:{PATH}",
            "error",
        ),
    ],
)
async def test_each_default_rule_fires_and_is_resolved(
    system: System,
    alerts: Ref,
    events: list[Event],
    begins: tuple[type[Event], str, dict[str, Any]],
    ends: tuple[type[Event], str, dict[str, Any]],
    name: str,
    severity: str,
) -> None:
    """TL-02 By the events that the tree tells; what an error says stays in the log."""
    kind, path, fields = begins
    system.events.publish(kind, path, **fields)
    await asyncio.sleep(310)
    kind, path, fields = ends
    system.events.publish(kind, path, **fields)
    await asyncio.sleep(10)
    assert [(of, alert, status) for of, alert, status, _ in told(events)] == [
        (severity, name, "firing"),
        (severity, name, "resolved"),
    ]
    assert "prompt" not in repr(told(events))


async def test_a_model_that_loads_for_less_than_five_minutes_is_no_alert(
    system: System, alerts: Ref, events: list[Event]
) -> None:
    """TL-02 Nor one that works."""
    publish = functools.partial(system.events.publish, ModelStateChanged, PATH)
    publish(before="starting", after="loading")
    await asyncio.sleep(290)
    publish(before="loading", after="ready")
    for _ in range(100):
        publish(before="ready", after="busy")
        publish(before="busy", after="ready")
    await asyncio.sleep(1000)
    assert told(events) == []


async def test_who_asks_is_told_what_fires(system: System, alerts: Ref) -> None:
    """TL-02 At once, also what no message was sent of yet."""
    change(system, "open")
    report = await alerts.ask(GetAlerts())
    assert [alert.name for alert in report.firing] == ["circuit_open:root/text/primary"]
    assert report.recent == ()
    await asyncio.sleep(3)
    assert [alert.status for alert in (await alerts.ask(GetAlerts())).recent] == ["firing"]
    (node,) = system.tree()
    assert node.shows == {"firing": 1}


async def test_each_alert_is_a_line_of_the_log(
    system: System, alerts: Ref, logged: list[Any]
) -> None:
    """TL-02 As loud as it is severe; that it is over is quiet."""
    system.events.publish(SupervisorEscalated, "root/text", child="primary", reason="x")
    await asyncio.sleep(3)
    system.events.publish(ChildRestarted, "root/text", restarts=1)
    await asyncio.sleep(3)
    lines = [(line["log_level"], line["event"], line["rule"]) for line in logged if "rule" in line]
    assert lines == [
        ("critical", "alert.firing", "supervisor_escalated"),
        ("info", "alert.resolved", "supervisor_escalated"),
    ]


async def test_what_is_known_outlives_the_actor(system: System, events: list[Event]) -> None:
    """TL-08 After a restart nothing is told twice, and what fires is still resolved."""
    book = AlertBook()
    tree = supervisor("root", child("alerts", functools.partial(AlertsActor, book)))
    await system.spawn(tree.start, tree.id)
    change(system, "open")
    await asyncio.sleep(3)
    system.ref("root/alerts").address.crash(RuntimeError("a fault"))  # type: ignore[attr-defined]
    await asyncio.sleep(100)
    assert any(isinstance(event, ActorFailed) for event in events)
    change(system, "open", "half_open")
    await asyncio.sleep(3)
    change(system, "closed", "half_open")
    await asyncio.sleep(3)
    assert [status for _, of, status, _ in told(events) if "circuit" in of] == [
        "firing",
        "resolved",
    ]


async def test_what_waits_to_be_told_is_told_at_the_end(system: System) -> None:
    """TL-02 Receivers that stand before the actor stop after it, and have got it."""
    destination = scripted()
    tree = supervisor(
        "root",
        child("receiver", functools.partial(AlertReceiver, destination)),
        child("alerts", AlertsActor),
        strategy="rest_for_one",
    )
    root = await system.spawn(tree.start, tree.id)
    change(system, "open")
    await asyncio.sleep(1)
    assert destination.got == []
    await system.stop(root)
    assert destination.got == ["circuit_open:root/text/primary firing"]
