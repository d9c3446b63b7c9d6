"""When a pool grows and shrinks."""

from __future__ import annotations

import pytest

from failsoft.supervisors.pool.autoscale import Autoscale, Scaler

CONFIG = Autoscale(least=1, most=3, longest_wait=0.5, window=10, idle=60, cooldown=30, denied=300)


def watched(
    scaler: Scaler,
    *,
    since: float,
    until: float,
    replicas: int = 1,
    busy: int = 1,
    wait: float | None = 0.0,
) -> list[tuple[float, int]]:
    """Look every second, with a request each; give the changes that were called for, and when."""
    changes = []
    for now in range(int(since), int(until)):
        if wait is not None:
            scaler.waited(wait, now)
        if change := scaler.look(replicas, busy, now):
            changes.append((float(now), change))
    return changes


def test_it_grows_where_requests_wait_too_long() -> None:
    assert watched(Scaler(CONFIG, 0), since=0, until=20, wait=0.6)[0] == (0.0, 1)


def test_it_stays_where_they_wait_a_little() -> None:
    assert watched(Scaler(CONFIG, 0), since=0, until=200, wait=0.4) == []


def test_a_short_surge_starts_nothing() -> None:
    """Less than half of the requests of the window waited."""
    scaler = Scaler(CONFIG, 0)
    assert watched(scaler, since=0, until=20) == []
    assert watched(scaler, since=20, until=24, wait=5) == []
    assert watched(scaler, since=24, until=40) == []


def test_after_a_change_it_waits_for_what_that_brings() -> None:
    scaler = Scaler(CONFIG, 0)
    scaler.changed(5)
    assert watched(scaler, since=5, until=60, replicas=2, wait=5)[0] == (35.0, 1)


def test_what_could_not_be_started_is_not_tried_again_for_a_while() -> None:
    scaler = Scaler(CONFIG, 0)
    scaler.denied(5)
    assert watched(scaler, since=5, until=400, wait=5)[0] == (305.0, 1)


def test_it_never_grows_past_the_most() -> None:
    assert watched(Scaler(CONFIG, 0), since=0, until=300, replicas=3, wait=60) == []


def test_it_grows_to_the_least_without_any_load() -> None:
    config = Autoscale(least=2, most=3)
    assert watched(Scaler(config, 0), since=0, until=2, replicas=1, wait=None)[0] == (0.0, 1)


def test_it_shrinks_after_a_while_with_little_to_do() -> None:
    """Of three, one was busy: the two that are left would be busy for half of the time."""
    changes = watched(Scaler(CONFIG, 0), since=0, until=200, replicas=3, busy=1)
    assert changes[0] == (60.0, -1)


def test_it_stays_where_those_that_are_left_would_be_too_busy() -> None:
    """Of three, one and a half were busy: 0.75 of two."""
    scaler, changes = Scaler(CONFIG, 0), []
    for now in range(300):
        changes.append(scaler.look(3, 1 + now % 2, now))
    assert not any(changes)


def test_it_does_not_shrink_while_anybody_waits() -> None:
    """However little there is to do: its replicas may be slow, and take one at a time."""
    scaler = Scaler(Autoscale(least=1, most=2, idle=60, window=10), 0)
    for now in range(0, 300, 30):
        scaler.waited(1.0, now)
        assert all(scaler.look(2, 0, now + second) != -1 for second in range(30))


def test_it_never_shrinks_below_the_least() -> None:
    assert watched(Scaler(CONFIG, 0), since=0, until=500, replicas=1, busy=0) == []


@pytest.mark.parametrize(
    "fields",
    [{"least": 0}, {"least": 5}, {"longest_wait": 0.0}, {"cooldown": float("inf")}, {"busy": 1.0}],
)
def test_bounds_that_make_no_sense_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="autoscaling needs"):
        Autoscale(**fields)  # type: ignore[arg-type]
