"""The receiver's actor: retries that end, loss that is told, and nobody who waits for it."""

from __future__ import annotations

import asyncio
import functools
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from failsoft.actors import System
from failsoft.messages.events import ActorFailed, Event
from failsoft.supervisors import child, supervisor
from failsoft.telemetry import (
    Alert,
    AlertLost,
    AlertReceiver,
    AlertsChanged,
    AlertSent,
    RetryPolicy,
)

from .scripted_destination import Scripted, refused, scripted

pytestmark = pytest.mark.anyio


def tell(system: System, *keys: str) -> None:
    """Publish that alerts of these keys began to fire."""
    alerts = tuple(
        Alert(
            rule="hung",
            key=key,
            severity="error",
            status="firing",
            summary="it hung",
            since=0,
            at=0,
            count=1,
        )
        for key in keys
    )
    system.events.publish(AlertsChanged, "alerts", id="1", source="x", time=0.0, alerts=alerts)


async def receive(system: System, destination: Scripted, name: str = "receiver") -> None:
    tree = supervisor(f"{name}s", child(name, functools.partial(AlertReceiver, destination)))
    await system.spawn(tree.start, tree.id)


def ends(events: list[Event]) -> list[tuple[str, int, str]]:
    """Give how the deliveries ended: the event, the tries, the reason."""
    return [
        (type(event).__name__, event.tries, getattr(event, "reason", ""))
        for event in events
        if isinstance(event, AlertSent | AlertLost)
    ]


async def test_what_gets_through_is_told(system: System, events: list[Event]) -> None:
    """TL-03 With the names of the alerts, by the receiver's path."""
    destination = scripted()
    await receive(system, destination)
    tell(system, "a", "b")
    await asyncio.sleep(1)
    assert destination.got == ["hung:a firing, hung:b firing"]
    (sent,) = (event for event in events if isinstance(event, AlertSent))
    assert (sent.path, sent.alerts, sent.tries) == (
        "receivers/receiver",
        ("hung:a", "hung:b"),
        1,
    )


async def test_a_failure_is_tried_again(system: System, events: list[Event]) -> None:
    """TL-03 Until it gets through."""
    destination = scripted(refused(), "hangs", "well")
    await receive(system, destination)
    tell(system, "a")
    await asyncio.sleep(60)
    assert destination.got == ["hung:a firing"]
    assert ends(events) == [("AlertSent", 3, "")]


@pytest.mark.parametrize(
    ("fate", "reason"),
    [("hangs", "it didn't answer within 10 s"), (refused(), "it refused")],
)
async def test_what_never_gets_through_is_lost_after_a_bound(
    system: System, events: list[Event], fate: Exception | str, reason: str
) -> None:
    """TL-03 Four tries within a minute; the loss is an event and a line of the log."""
    destination = scripted(fate)
    await receive(system, destination)
    with capture_logs() as lines:
        tell(system, "a")
        await asyncio.sleep(80)
    assert ends(events) == [("AlertLost", 4, reason)]
    (line,) = (line for line in lines if line["event"] == "alerts.lost")
    assert (line["log_level"], line["reason"]) == ("error", reason)
    ((node,),) = (top.children for top in system.tree())
    assert node.shows == {
        "destination": "Scripted(here)",
        "sent": 0,
        "lost": 1,
        "trouble": reason,
    }


async def test_what_no_retry_mends_is_not_tried_again(system: System, events: list[Event]) -> None:
    """TL-03 A key that is refused, say."""
    destination = scripted(refused(is_final=True))
    await receive(system, destination)
    tell(system, "a")
    await asyncio.sleep(1)
    assert ends(events) == [("AlertLost", 1, "it refused")]


@pytest.mark.parametrize(("seconds", "end"), [(40.0, ("AlertSent", 2)), (70.0, ("AlertLost", 1))])
async def test_the_wait_that_a_receiver_asks_for_is_heeded_within_the_bound(
    system: System, events: list[Event], seconds: float, end: tuple[str, int]
) -> None:
    """TL-03 Where it asks for too long, the alert is lost at once."""
    destination = scripted(refused(retry_after=seconds), "well")
    await receive(system, destination)
    tell(system, "a")
    await asyncio.sleep(39)
    assert len(destination.tries) == 1
    await asyncio.sleep(2)
    assert [(kind, tries) for kind, tries, _ in ends(events)] == [end]


async def test_one_that_hangs_delays_no_other(system: System, events: list[Event]) -> None:
    """TL-03 Nor who publishes, nor the end of the system."""
    stuck, well = scripted("hangs"), scripted()
    await receive(system, stuck, "stuck")
    await receive(system, well, "well")
    for number in range(10):
        tell(system, str(number))
    await asyncio.sleep(0.01)
    assert len(well.got) == 10
    assert len(stuck.tries) == 1


async def test_too_many_that_wait_are_lost_and_told(system: System, events: list[Event]) -> None:
    """TL-03 The bound is the mailbox's; each loss is told, and none a second time."""
    destination = scripted("hangs")
    await receive(system, destination)
    for number in range(150):
        tell(system, str(number))
    assert len(ends(events)) == 150 - AlertReceiver.mailbox_bound
    assert {reason for _, _, reason in ends(events)} == {"100 messages wait for it already"}
    await asyncio.sleep(2000)
    assert len(ends(events)) == 150
    assert len(destination.tries) == 4 + 99


async def test_after_an_outage_what_is_old_has_one_try(system: System, events: list[Event]) -> None:
    """TL-03 So that what is new doesn't wait for it for long."""
    destination = scripted(*["hangs"] * 4, refused(), "well")
    await receive(system, destination)
    for key in "abc":
        tell(system, key)
    await asyncio.sleep(70)
    assert [(kind, tries) for kind, tries, _ in ends(events)] == [
        ("AlertLost", 4),
        ("AlertLost", 1),
        ("AlertSent", 1),
    ]


async def test_a_part_that_fails_does_not_take_the_others_along(
    system: System, events: list[Event]
) -> None:
    """TL-03 The whole is lost all the same, and told once."""
    destination = scripted(refused(is_final=True), "well", in_parts=True)
    await receive(system, destination)
    tell(system, "a", "b", "c")
    await asyncio.sleep(1)
    assert destination.got == ["hung:b firing", "hung:c firing"]
    assert ends(events) == [("AlertLost", 3, "it refused")]


async def test_many_parts_share_one_bound(system: System, events: list[Event]) -> None:
    """TL-03 A receiver that is away for a hundred alerts is away once."""
    destination = scripted("hangs", in_parts=True)
    await receive(system, destination)
    tell(system, *map(str, range(100)))
    await asyncio.sleep(130)
    assert [kind for kind, _, _ in ends(events)] == ["AlertLost"]
    assert len(destination.tries) <= 8


async def test_a_fault_of_ours_ends_the_actor_and_is_a_loss(
    system: System, events: list[Event]
) -> None:
    """TL-03 It is started again, and sends what waited."""
    destination = scripted(KeyError("a bug"), "well")
    await receive(system, destination)
    tell(system, "a")
    tell(system, "b")
    await asyncio.sleep(60)
    assert [type(event) for event in events if isinstance(event, ActorFailed)] == [ActorFailed]
    assert destination.got == ["hung:b firing"]
    assert ends(events) == [
        ("AlertLost", 1, "the receiver stopped or failed before all was sent"),
        ("AlertSent", 1, ""),
    ]


async def test_a_stop_doesnt_wait_for_one_that_hangs(system: System, events: list[Event]) -> None:
    """TL-03 Beyond the actor's ``shutdown_timeout``; what was at it is told to be lost."""
    destination = scripted("hangs")
    await receive(system, destination)
    tell(system, "a")
    tell(system, "b")
    await asyncio.sleep(1)
    began = system.clock.now()
    with capture_logs() as lines:
        await system.stop(system.ref("receivers"))
    assert [line["messages"] for line in lines if line["event"] == "alerts.unsent"] == [1]
    assert system.clock.now() - began <= AlertReceiver.shutdown_timeout + 0.1
    assert [kind for kind, _, _ in ends(events)] == ["AlertLost"]


@given(
    failed=st.integers(1, 2000),
    passed=st.floats(0, 200),
    retry_after=st.none() | st.floats(0, 200),
    seed=st.integers(0, 100),
)
def test_waits_are_bounded(
    failed: int, passed: float, retry_after: float | None, seed: int
) -> None:
    """TL-03 Never past the bound, never before the receiver wants it."""
    policy = RetryPolicy(tries=1000)
    wait = policy.wait(failed, passed, retry_after, Random(seed))
    if wait is not None:
        assert failed < policy.tries
        assert wait >= max(1.0, retry_after or 0.0)
        assert passed + wait < policy.within


@pytest.mark.parametrize(
    "fields",
    [{"tries": 0}, {"timeout": 0.0}, {"within": float("inf")}, {"base": -1.0}, {"factor": 0.5}],
)
def test_a_policy_that_makes_no_sense_is_an_error(fields: dict[str, Any]) -> None:
    """It says which field."""
    with pytest.raises(ValueError, match=next(iter(fields))):
        RetryPolicy(**fields)
