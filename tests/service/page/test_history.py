"""What befell the tree, in words: each failure from its first sign until all is well again."""

from __future__ import annotations

import pytest

from failsoft.actors import EventBus, System
from failsoft.messages.events import (
    ActorFailed,
    BreakerChanged,
    ChildCooledDown,
    ChildForgotten,
    ChildRestarted,
    DegradationChanged,
    Event,
    RequestQuarantined,
    RestartCalledOff,
    RestartScheduled,
    StandbyPromoted,
    StandbyReady,
    SupervisorEscalated,
    WorkerEnded,
    WorkerHung,
    WorkerReady,
    WorkerSpawned,
    WorkerWornOut,
)
from failsoft.service.page.history import Happening, History

LOST = "WorkerLost: The model's worker was lost; try again."
MODEL = "root/text/primary"


def heard(*events: Event, kept: int = 100) -> History:
    history = History(kept)
    for event in events:
        history.hear(event)
    return history


def ended(at: float, *, asked: bool = False, path: str = MODEL) -> WorkerEnded:
    return WorkerEnded(path=path, at=at, pid=7, reason="it was killed by SIGKILL", asked=asked)


def scheduled(at: float, delay: float, path: str = MODEL) -> RestartScheduled:
    return RestartScheduled(path=path, at=at, attempt=1, delay=delay, reason=LOST)


def circuit(at: float, after: str, reason: str = "5 failures in a row") -> BreakerChanged:
    return BreakerChanged(
        path="root/text",
        at=at,
        model="primary",
        before="closed",
        after=after,
        reason=reason,
        open_seconds=5.0 if after == "open" else 0.0,
    )


def only(history: History) -> Happening:
    (happening,) = history.latest()
    return happening


def test_a_lost_worker_is_one_failure_until_the_next_one_is_ready() -> None:
    """SRV-07 Its reason is the worker's; what follows is of the same failure."""
    history = heard(
        ended(10.0),
        ActorFailed(path=MODEL, at=10.0, error=LOST),
        scheduled(10.0, 2.0),
    )
    assert only(history).says == "its worker was killed by SIGKILL"
    assert (only(history).at, only(history).until) == (10.0, 12.0)
    assert history.what_ails(MODEL) is only(history)
    history.hear(ChildRestarted(path=MODEL, at=12.0, restarts=1))
    assert (only(history).until, only(history).over_at) == (None, None)  # it has yet to load
    history.hear(WorkerReady(path=MODEL, at=15.0, pid=8, seconds=3.0))
    assert only(history).over_at == 15.0
    assert history.what_ails(MODEL) is None


def test_an_actor_without_a_worker_is_well_once_it_is_restarted() -> None:
    """It has nothing to load."""
    path = "root/telemetry/errors"
    history = heard(
        ActorFailed(path=path, at=1.0, error="ValueError: no"),
        scheduled(1.0, 0.5, path),
        ChildRestarted(path=path, at=1.5, restarts=1),
    )
    assert (only(history).says, only(history).over_at) == ("ValueError: no", 1.5)


def test_a_hung_worker_that_is_killed_for_it_is_told_once() -> None:
    """That it was killed is no news."""
    history = heard(
        WorkerHung(path=MODEL, at=5.0, pid=7, reason="no token for 10 s"),
        ended(5.1),
        ActorFailed(path=MODEL, at=5.1, error=LOST),
    )
    assert only(history).says == "its worker hung, and was killed: no token for 10 s"


def test_a_spare_that_takes_over_ends_the_failure() -> None:
    """Nobody waits for a restart."""
    history = heard(ended(5.0), StandbyPromoted(path=MODEL, at=5.0, pid=8))
    assert only(history).says == "its worker was killed by SIGKILL; the spare took over"
    assert only(history).over_at == 5.0


def test_a_lost_spare_is_over_with_the_next_one() -> None:
    """The one that serves was never away."""
    history = heard(ended(5.0), StandbyReady(path=MODEL, at=9.0, pid=8, seconds=3.0))
    assert only(history).over_at == 9.0


def test_a_worker_that_was_asked_to_end_is_no_failure() -> None:
    """Nothing is told of it."""
    assert heard(ended(5.0, asked=True)).latest() == ()


def test_a_restart_that_is_called_off_has_no_time() -> None:
    """An operator stopped it, say."""
    history = heard(
        ended(5.0),
        scheduled(5.0, 60.0),
        RestartCalledOff(path="root/text", at=6.0, children=("primary", "other")),
    )
    assert only(history).until is None


def test_a_model_that_failed_too_often_is_left_alone() -> None:
    """The failure says so, and until when."""
    cooled = ChildCooledDown(path=MODEL, at=5.0, seconds=60.0, reason=LOST)
    history = heard(ended(5.0), cooled)
    assert only(history).says == (
        "its worker was killed by SIGKILL; it failed too often, and is left alone for a while"
    )
    assert only(history).until == 65.0


def test_a_child_that_is_gone_for_good_ails_no_more() -> None:
    """What was told of it stays."""
    history = heard(ended(5.0), ChildForgotten(path=MODEL, at=6.0, reason="shutdown"))
    assert history.what_ails(MODEL) is None
    assert only(history).over_at is None


def test_a_circuit_is_one_happening_from_its_opening_to_its_closing() -> None:
    """However often it is tried and opens again in between."""
    history = heard(circuit(1.0, "open"), circuit(6.0, "half_open"), circuit(6.5, "open"))
    assert only(history).says == "its circuit opened: 5 failures in a row"
    assert (only(history).path, only(history).until) == (MODEL, 11.5)
    assert history.what_ails(MODEL) is only(history)
    history.hear(circuit(12.0, "half_open"))
    history.hear(circuit(12.5, "closed"))
    assert (only(history).until, only(history).over_at) == (None, 12.5)
    assert history.what_ails(MODEL) is None


def test_a_failure_goes_before_a_circuit() -> None:
    """Of the two it is the one that says why."""
    history = heard(circuit(1.0, "open"), ended(2.0))
    ailing = history.what_ails(MODEL)
    assert ailing is not None
    assert ailing.kind == "failure"


@pytest.mark.parametrize(
    ("event", "kind", "says"),
    [
        (
            circuit(1.0, "open", "forced open by an operator"),
            "circuit",
            "its circuit is forced open by an operator",
        ),
        (
            DegradationChanged(
                path="root/load", at=1.0, before="full", after="reduced", load=0.81, forced=False
            ),
            "load",
            "answers are reduced in place of full, by a load of 81%",
        ),
        (
            RequestQuarantined(
                path="root/text",
                at=1.0,
                fingerprint="f",
                request="GenerateText",
                workers_lost=2,
                seconds=600.0,
                correlation_id=None,
            ),
            "poison",
            "a request took down 2 workers; its like are refused for 600 s",
        ),
        (
            SupervisorEscalated(path="root/text", at=1.0, child="primary", reason=LOST),
            "escalation",
            f"gave up, since primary failed too often: {LOST}",
        ),
        (
            WorkerWornOut(path=MODEL, at=1.0, pid=7, reason="it holds 3 GB"),
            "worker",
            "its worker is replaced: it holds 3 GB",
        ),
    ],
)
def test_what_else_happens(event: Event, kind: str, says: str) -> None:
    """Is told in a line each."""
    assert (only(heard(event)).kind, only(heard(event)).says) == (kind, says)


def test_what_happened_is_bounded_and_the_newest_comes_first() -> None:
    """And what was forgotten ails nobody, since nobody would hear that it is over."""
    events = [ended(float(number), path=f"root/{number}") for number in range(10)]
    history = heard(*events, kept=3)
    assert [each.path for each in history.latest()] == ["root/9", "root/8", "root/7"]
    assert [each.number for each in history.latest(2)] == [10, 9]
    assert history.what_ails("root/6") is None
    assert history.what_ails("root/7") is not None


def test_an_operators_order_is_told() -> None:
    """And whoever looks hears at once that there is something new."""
    history, changes = History(), []
    history.on_change = lambda: changes.append("changed")
    history.note(MODEL, "an operator drains it", 3.0)
    assert only(history).kind == "order"
    assert changes == ["changed"]


@pytest.mark.anyio
async def test_it_listens_to_one_bus_once(system: System) -> None:
    """Told to listen again it does nothing; told of another bus it leaves the first one."""
    history = History()
    history.listen(system.events)
    history.listen(system.events)
    assert system.events.subscribers == 1
    history.listen(EventBus(system.clock))
    assert system.events.subscribers == 0


def test_a_worker_that_is_made_is_no_news() -> None:
    """Nor that it is ready, where nothing was wrong."""
    spawned = WorkerSpawned(path=MODEL, at=1.0, pid=7)
    assert heard(spawned, WorkerReady(path=MODEL, at=2.0, pid=7, seconds=1.0)).latest() == ()
