"""Telemetry fails: nobody but itself notices, and it goes on from where it was."""

from __future__ import annotations

import asyncio

import pytest

from failsoft.actors import Actor, System, handles
from failsoft.messages import GenerateText, TextReply, Usage
from failsoft.messages.events import ChildRestarted, Event
from failsoft.supervisors import NO_WAIT, Backoff, candidate, child, router, supervisor
from failsoft.telemetry import (
    ErrorLog,
    ErrorsActor,
    ErrorSpiked,
    ErrorSpikeEnded,
    GetErrors,
    Metrics,
    MetricsActor,
)

from .happened import fail, value

pytestmark = pytest.mark.anyio

ANSWERED = "gen_ai_server_request_duration_seconds_count"


class Fine(Actor):
    @handles(GenerateText)
    def generate(self, request: GenerateText) -> TextReply:
        return TextReply("well", "stop", Usage(3, 3))


async def start_tree(system: System, backoff: Backoff) -> None:
    metrics, log = Metrics(), ErrorLog()
    tree = supervisor(
        "root",
        supervisor(
            "telemetry",
            child("metrics", lambda: MetricsActor(metrics)),
            child("errors", lambda: ErrorsActor(log)),
            strategy="rest_for_one",
            backoff=backoff,
        ),
        router("text", candidate("primary", Fine)),
    )
    await system.spawn(tree.start, tree.id)


def break_metrics(system: System) -> None:
    address = system.ref("root/telemetry/metrics").address
    address.crash(RuntimeError("telemetry is down"))  # type: ignore[attr-defined]


async def test_requests_are_answered_while_telemetry_is_down(system: System) -> None:
    """TL-08 And where telemetry gives up for good, too."""
    await start_tree(system, Backoff(base=60.0, jitter=False))
    text = system.ref("root/text")
    break_metrics(system)
    for _ in range(3):
        reply = await text.ask(GenerateText("how are you?"), timeout=1.0)
        assert reply.text == "well"
    node = next(n for n in system.tree()[0].walk() if n.name == "metrics")
    assert node.state == "down"


async def test_counts_go_on_after_restarts(system: System, events: list[Event]) -> None:
    """TL-08 Metrics and error log outlive their actors, whose next incarnations hear again."""
    await start_tree(system, NO_WAIT)
    text, metrics = system.ref("root/text"), system.ref("root/telemetry/metrics")
    errors = system.ref("root/telemetry/errors")
    for incarnation in range(1, 4):
        await text.ask(GenerateText("how are you?"))
        fail(system, "out_of_memory")
        assert await value(metrics, ANSWERED, error_type="") == incarnation
        assert (await errors.ask(GetErrors())).total_errors >= incarnation
        break_metrics(system)
        await asyncio.sleep(10)  # away from the supervisor's limit of restarts
        assert sum(isinstance(event, ChildRestarted) for event in events) == 2 * incarnation
    # It hears of its own restarts, but was down when it was told why.
    restarts = "failsoft_restarts_total"
    assert await value(metrics, restarts, path=metrics.path, reason="other") == 3
    assert await value(metrics, restarts, path=errors.path, reason="other") == 3
    report = await errors.ask(GetErrors())
    assert report.error_types["out_of_memory"] == 3
    assert system.events.subscribers == 3  # the two, and this test


async def test_a_spike_ends_though_its_actor_was_restarted_meanwhile(
    system: System, events: list[Event]
) -> None:
    """TL-08 The next incarnation knows of it, and looks whether it is over."""
    await start_tree(system, NO_WAIT)
    await asyncio.sleep(1000)
    for _ in range(50):
        fail(system, "out_of_memory")
    await asyncio.sleep(1)
    break_metrics(system)
    await asyncio.sleep(300)
    told = [type(e) for e in events if isinstance(e, ErrorSpiked | ErrorSpikeEnded)]
    assert told == [ErrorSpiked, ErrorSpikeEnded]


async def test_an_old_incarnation_hears_nothing(system: System) -> None:
    """TL-08 Its subscription ends with it, however it ends: nothing is counted twice."""
    await start_tree(system, NO_WAIT)
    metrics = system.ref("root/telemetry/metrics")
    before = system.events.subscribers
    break_metrics(system)
    await asyncio.sleep(1)
    assert system.events.subscribers == before
    fail(system, "out_of_memory")
    assert await value(metrics, ANSWERED, error_type="out_of_memory") == 1
