"""The guard: what is held against the committed ratios, and when it says that all became slower."""

from __future__ import annotations

import msgspec
import pytest
from bench.figures import Figure, against
from bench.guard.command import AGAIN, COMMITTED, ROUNDS, slower
from bench.guard.pairs import PAIRS, measure


def with_gain(gain: float) -> Figure:
    return against("a thing", "µs", [(1.0, gain)], peer="a peer", less_is_better=True)


def test_all_that_is_measured_is_committed() -> None:
    assert set(msgspec.json.decode(COMMITTED.read_bytes(), type=dict[str, float])) == set(PAIRS)


@pytest.mark.parametrize("name", PAIRS)
def test_each_pair_can_be_measured(name: str) -> None:
    """Both sides do what they say; how fast isn't looked at here."""
    made = measure(name, rounds=1)
    assert made.ours.median > 0
    assert made.gain is not None


def test_what_is_within_the_bound_is_measured_once() -> None:
    rounds: list[int] = []

    def measured(_name: str, count: int) -> Figure:
        rounds.append(count)
        return with_gain(0.61)

    assert slower({"a thing": 1.0}, measured) == []
    assert rounds == [ROUNDS]


def test_what_looks_slower_is_measured_again_before_it_is_said() -> None:
    """A hiccup of the machine is none of the code's; what stays slow is named."""
    gains = iter([0.5, 1.0, 0.5, 0.5])
    rounds: list[int] = []

    def measured(_name: str, count: int) -> Figure:
        rounds.append(count)
        return with_gain(next(gains))

    assert slower({"a hiccup": 1.0, "a change": 1.0}, measured) == ["a change"]
    assert rounds == [ROUNDS, AGAIN, ROUNDS, AGAIN]
