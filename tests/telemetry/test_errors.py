"""The errors actor: which events are errors, of what kind, and who is told of spikes."""

from __future__ import annotations

import asyncio
import signal

import pytest

from failsoft.actors import Actor, Ref, System, bind_correlation_id, handles
from failsoft.gpu.script import Die, Raise, Script, Stall
from failsoft.gpu.scripted import scripted
from failsoft.messages import GenerateText, GenerationFailed, InferenceError, TextReply
from failsoft.messages.events import (
    ActorFailed,
    Event,
    SubscriberDropped,
    SupervisorEscalated,
    WorkerEnded,
    WorkerHung,
)
from failsoft.supervisors import Backoff, candidate, model, router
from failsoft.telemetry import ErrorsActor, ErrorSpiked, ErrorSpikeEnded, GetErrors
from failsoft.telemetry.failure_kind import failure_kind
from failsoft.testing import EventRecorder

from .happened import fail, finish

pytestmark = pytest.mark.anyio

PATH = "root/text/primary"


@pytest.fixture
async def errors(system: System) -> Ref:
    return await system.spawn(ErrorsActor, "errors")


async def patterns(errors: Ref) -> dict[str, int]:
    return (await errors.ask(GetErrors())).top_patterns


async def test_a_failed_request_is_an_error_of_its_kind(system: System, errors: Ref) -> None:
    """TL-06 With its correlation id; well, and left by its caller, it is none."""
    finish(system)
    fail(system, "cancelled")
    fail(system, "out_of_memory", request="GenerateImage", correlation_id="c-7")
    report = await errors.ask(GetErrors())
    assert report.top_patterns == {"out_of_memory:GenerateImage": 1}
    (error,) = report.recent
    assert (error.path, error.correlation_id) == ("root/text", "c-7")


async def test_each_event_of_something_wrong_is_an_error(system: System, errors: Ref) -> None:
    """TL-01 By the kind of what failed, and the event's name."""
    publish = system.events.publish
    publish(ActorFailed, PATH, error="OutOfMemory: no room")
    publish(ActorFailed, PATH, error="KeyError: 'x'")
    publish(WorkerEnded, PATH, pid=1, reason="signal 9", asked=False)
    publish(WorkerEnded, PATH, pid=2, reason="told to", asked=True)
    publish(SupervisorEscalated, "root", child="text", reason="too many")
    publish(SubscriberDropped, "root", reason="full")
    assert await patterns(errors) == {
        "KeyError:ActorFailed": 1,
        "escalated:SupervisorEscalated": 1,
        "out_of_memory:ActorFailed": 1,
        "subscriber_dropped:SubscriberDropped": 1,
        "worker_lost:WorkerEnded": 1,
    }


async def test_a_worker_that_was_killed_for_hanging_is_one_error(
    system: System, errors: Ref
) -> None:
    """TL-01 Its end is told twice, and is one; that of the next worker is another."""
    publish = system.events.publish
    publish(WorkerHung, PATH, pid=1, reason="quiet")
    publish(WorkerEnded, PATH, pid=1, reason="quiet", asked=False)
    publish(WorkerEnded, PATH, pid=2, reason="signal 9", asked=False)
    assert await patterns(errors) == {"worker_hung:WorkerHung": 1, "worker_lost:WorkerEnded": 1}


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (Script(otherwise=[Die(signal.SIGKILL)]), "worker_lost:WorkerEnded"),
        (Script(otherwise=[Stall()]), "worker_hung:WorkerHung"),
        (Script(load=[Raise(kind="x")]), "model_loading_failed:WorkerEnded"),
    ],
)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_crash_is_one_error_and_so_is_each_request_that_it_cost(
    anyio_backend: str, system: System, errors: Ref, script: Script, kind: str
) -> None:
    """TL-01 Of a real worker: its end and its actor's failure are one."""
    worker = scripted(script, hang_limit=1.0, first_step_limit=1.0)
    tree = router("text", model("primary", worker), retries=0, backoff=Backoff(1000, jitter=False))
    told = EventRecorder(system)
    text = await system.spawn(tree.start, tree.id)
    with pytest.raises(InferenceError) as caught:
        await text.ask(GenerateText("go"), timeout=60)
    await told.wait_for(ActorFailed)
    assert await patterns(errors) == {kind: 1, f"{caught.value.kind}:GenerateText": 1}


async def test_a_failure_after_a_spare_took_over_is_an_error_of_its_own(
    system: System, errors: Ref
) -> None:
    """TL-01 The worker's loss was told, and ended no actor."""
    publish = system.events.publish
    lost = {"reason": "SIGKILL", "asked": False, "error_type": "worker_lost"}
    publish(WorkerEnded, "model", pid=7, **lost)
    publish(ActorFailed, "model", error="KeyError: 'x'")
    assert await patterns(errors) == {"worker_lost:WorkerEnded": 1, "KeyError:ActorFailed": 1}


async def test_a_supervisor_that_gives_up_is_one_error(system: System, errors: Ref) -> None:
    """TL-01 And so is the next one; what fails by itself is told by its failure."""
    publish = system.events.publish
    for _ in range(2):
        publish(SupervisorEscalated, "root", child="text", reason="too many")
        publish(ActorFailed, "root", error="IntensityExceeded: too many")
    publish(ActorFailed, "root", error="KeyError: 'x'")
    assert await patterns(errors) == {"escalated:SupervisorEscalated": 2, "KeyError:ActorFailed": 1}


class Broken(Actor):
    @handles(GenerateText)
    def generate(self, request: GenerateText) -> TextReply:
        raise GenerationFailed(f"it can't say {request.prompt}").as_answer()


async def test_a_request_through_a_router_is_found_by_its_id(system: System, errors: Ref) -> None:
    """TL-06 The caller's correlation id is the error's; the prompt is nowhere."""
    tree = router("text", candidate("broken", Broken), retries=0)
    text = await system.spawn(tree.start, tree.id)
    bind_correlation_id("c-42")
    with pytest.raises(InferenceError):
        await text.ask(GenerateText("secret"))
    report = await errors.ask(GetErrors())
    assert [error.correlation_id for error in report.recent] == ["c-42"]
    assert "secret" not in repr(report)


async def test_a_spike_is_published_when_it_begins_and_when_it_is_over(
    system: System, errors: Ref, events: list[Event]
) -> None:
    """TL-01 Once each, with the rates."""
    for _ in range(30):
        await asyncio.sleep(60)
        fail(system, "worker_lost")
    assert not [event for event in events if isinstance(event, ErrorSpiked)]
    for _ in range(100):
        fail(system, "worker_lost")
    await asyncio.sleep(1)
    (spike,) = (event for event in events if isinstance(event, ErrorSpiked))
    assert (spike.path, spike.error_type, spike.usual) == ("errors", "worker_lost", 1)
    assert spike.rate >= 5
    await asyncio.sleep(170)
    assert not [event for event in events if isinstance(event, ErrorSpikeEnded)]
    await asyncio.sleep(30)
    (ended,) = (event for event in events if isinstance(event, ErrorSpikeEnded))
    assert ended.error_type == "worker_lost"
    assert 170 <= ended.seconds <= 200
    assert (await errors.ask(GetErrors())).spikes == ()


async def test_a_spike_ends_also_where_the_flood_filled_the_mailbox(
    system: System, errors: Ref, events: list[Event]
) -> None:
    """TL-07 What is dropped is never the look whether it is over."""
    await asyncio.sleep(1000)
    for _ in range(20):
        fail(system, "worker_lost")
    # In the moment at which it looks again, and before it can.
    await asyncio.sleep(10)
    for _ in range(2 * ErrorsActor.mailbox_bound):
        fail(system, "worker_lost")
    await asyncio.sleep(300)
    assert sum(isinstance(event, ErrorSpikeEnded) for event in events) == 1


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("WorkerLost: a signal", "worker_lost"),
        ("ValueError", "ValueError"),
        ("killed", "killed"),
        ("the prompt: hello", "other"),
        ("", "other"),
        (f"{'x' * 65}: y", "other"),
    ],
)
def test_the_kind_of_a_failure_is_one_word(said: str, kind: str) -> None:
    """TL-05 Never what an error says, which may be anything."""
    assert failure_kind(said) == kind
