"""The benchmark of supervision: scenes with real processes, and what is told of them."""

from __future__ import annotations

import pytest
from bench.supervise import rounds
from bench.supervise.hosted import Orphans, hosted
from bench.supervise.processes import below, left_of
from bench.supervise.scenes import LOAD_PATIENCE, Seen
from bench.supervise.told import blows, ends, figures_of, times_of

OURS, BY_HAND = "failsoft", "a loop by hand"


def test_ours_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parent is killed in the middle of a request, and its processes are gone with it."""
    monkeypatch.setattr(rounds, "ORPHAN_SECONDS", 60.0)  # how soon isn't looked at here
    with hosted([OURS], "steady") as hosts:
        found = rounds.orphans(hosts)
    assert found[OURS].were > 0
    assert found[OURS] == Orphans(found[OURS].were, 0, has_worker=False)


def test_a_kill_and_the_end_of_the_block() -> None:
    """The next answer comes after a load, which takes a second; no process is left at the end."""
    with hosted([BY_HAND], "steady") as (host,):
        seen = host.play("killed_idle")
        processes = below(host.parent)
    assert seen.errors == ()
    assert seen.seconds is not None
    assert seen.seconds >= 1.0
    assert len(processes) > 1
    assert left_of(processes, 0.0) == []


def test_a_host_that_cannot_begin() -> None:
    """Says so, with what it wrote."""
    with pytest.raises(RuntimeError, match="nobody doesn't answer") as raised:
        hosted(["nobody"], "steady").__enter__()
    assert "KeyError: 'nobody'" in str(raised.value)


def test_one_that_does_not_come_back() -> None:
    """Counts with the time that it was waited for."""
    assert times_of([Seen(seconds=1.5), Seen()]) == [1.5, LOAD_PATIENCE]


def test_each_of_ours_is_held_against_each_peer() -> None:
    """Scene by scene; less is better."""
    seen = {
        OURS: [Seen(seconds=2.0)],
        "failsoft, with a spare": [Seen(seconds=0.1)],
        BY_HAND: [Seen(seconds=1.0)],
    }
    cold, spare = figures_of({"killed_idle": seen}, ", SmolLM2")
    assert (cold.name, cold.peer) == (
        *("failsoft: killed idle, to the next answer, SmolLM2", BY_HAND),
    )
    assert cold.peer_wins
    assert not spare.peer_wins


def test_the_table_of_blows() -> None:
    """Tells what was lost, and who wasn't found out."""
    found = {
        "killed_under_load": {BY_HAND: [Seen(asked=7, errors=("WorkerLost",))]},
        "no_memory": {BY_HAND: [Seen(seconds=0.01, errors=("MemoryError",))]},
        "stopped": {BY_HAND: [Seen(errors=("TimeoutError",))]},
    }
    (row,) = blows(found).rows
    assert row == (
        *(BY_HAND, "1 of 7 (WorkerLost)", "not in 10 s", "not played"),
        *("MemoryError", "0.01 s"),
    )


def test_the_table_of_what_stays() -> None:
    """Tells whether the worker is among those that are left."""
    seen = Seen(seconds=None, errors=("",), starts=4)
    table = ends({BY_HAND: Orphans(3, 2, has_worker=True)}, {"broken": {BY_HAND: [seen]}})
    assert table.rows == ((BY_HAND, "2 of 3, the worker too", "4", "an answer", "not in 10 s"),)
