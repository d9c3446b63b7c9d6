"""Poison: who is suspected, who is held, and for how long."""

from __future__ import annotations

import math

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from failsoft.supervisors.routing.poison import Poison, Quarantine


def quarantined(*fingerprints: str, poison: Poison | None = None) -> Quarantine:
    quarantine = Quarantine(poison or Poison())
    for fingerprint in fingerprints:
        assert not quarantine.blame(fingerprint, 0.0, "GenerateText")
        assert quarantine.blame(fingerprint, 1.0, "GenerateText")
    return quarantine


def test_the_second_worker_it_takes_down_is_one_too_many() -> None:
    """WK-10 One is a suspicion, and lets it through."""
    quarantine = Quarantine(Poison())
    assert quarantine.is_empty
    assert not quarantine.blame("a", 0.0, "GenerateText")
    assert quarantine.held("a", 1.0) is None
    assert quarantine.entries(1.0) == ()
    assert not quarantine.is_empty
    assert quarantine.blame("a", 2.0, "GenerateText")
    assert quarantine.held("a", 2.0) == 600.0
    assert quarantine.held("a", 502.0) == 100.0
    assert quarantine.held("b", 2.0) is None


def test_an_operator_sees_who_is_held() -> None:
    """WK-10 Since when, until when, and why."""
    quarantine = quarantined("a")
    quarantine.blame("suspect", 1.0, "GenerateImage")
    (entry,) = quarantine.entries(2.0)
    assert (entry.fingerprint, entry.request_type) == ("a", "GenerateText")
    assert (entry.since, entry.until, entry.workers_lost) == (1.0, 601.0, 2)
    told = quarantine.statistics()
    assert (told.suspected, told.held, told.quarantined) == (1, 1, 1)
    assert repr(quarantine) == "<Quarantine 1 held, 1 suspected>"


def test_it_is_over_after_its_time() -> None:
    """WK-10 To the second; and counts from none then."""
    quarantine = quarantined("a")
    assert quarantine.held("a", 600.9) == pytest.approx(0.1)
    assert quarantine.held("a", 601.0) is None
    assert quarantine.is_empty
    assert not quarantine.blame("a", 601.0, "GenerateText")


def test_a_suspicion_lives_as_long() -> None:
    """WK-10 The second worker must be lost within that time of the first."""
    quarantine = Quarantine(Poison(seconds=10.0))
    quarantine.blame("a", 0.0, "GenerateText")
    assert not quarantine.blame("a", 10.0, "GenerateText")
    assert quarantine.blame("a", 19.9, "GenerateText")


def test_an_answer_ends_the_suspicion() -> None:
    """WK-10 So two workers lost, with an answer between them, aren't its fault."""
    quarantine = Quarantine(Poison())
    quarantine.blame("a", 0.0, "GenerateText")
    quarantine.absolve("a")
    quarantine.absolve("never blamed")
    assert quarantine.is_empty
    assert not quarantine.blame("a", 1.0, "GenerateText")


def test_an_answer_does_not_end_a_quarantine() -> None:
    """WK-10 Two workers were lost by then; one that got through proves little."""
    quarantine = quarantined("a")
    quarantine.absolve("a")
    assert quarantine.held("a", 1.0) == 600.0


def test_one_more_worker_lost_begins_its_time_anew() -> None:
    """WK-10 One that was in work already, when the like of it were refused."""
    quarantine = quarantined("a")
    assert quarantine.blame("a", 101.0, "GenerateText")
    (entry,) = quarantine.entries(101.0)
    assert (entry.since, entry.until, entry.workers_lost) == (1.0, 701.0, 3)
    assert quarantine.statistics().quarantined == 1


def test_an_operator_lets_one_through_or_all() -> None:
    """WK-10 And is told how many."""
    quarantine = quarantined("a", "b", "c")
    assert quarantine.clear("b") == 1
    assert quarantine.clear("b") == 0
    assert quarantine.held("b", 1.0) is None
    assert quarantine.held("a", 1.0) == 600.0
    assert quarantine.clear() == 2
    assert quarantine.is_empty


def test_it_is_bounded_and_the_oldest_goes() -> None:
    """WK-10 And that is counted."""
    quarantine = quarantined("a", "b", "c", poison=Poison(most=3))
    quarantine.blame("a", 2.0, "GenerateText")
    quarantine.blame("d", 3.0, "GenerateText")
    assert [entry.fingerprint for entry in quarantine.entries(3.0)] == ["c", "a"]
    assert quarantine.statistics().forgotten == 1


def test_one_worker_can_be_enough() -> None:
    """WK-10 Where it is set so."""
    assert Quarantine(Poison(workers_lost=1)).blame("a", 0.0, "GenerateText")


@pytest.mark.parametrize(
    "wrong", [{"workers_lost": 0}, {"seconds": 0.0}, {"seconds": math.nan}, {"most": 0}]
)
def test_what_is_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    """WK-10 With what is asked for."""
    with pytest.raises(ValueError, match="workers_lost >= 1"):
        Poison(**wrong)  # type: ignore[arg-type]


class QuarantineMachine(RuleBasedStateMachine):
    """Hold the quarantine against a plain list of who was blamed when."""

    names = st.sampled_from("abcde")

    @initialize(lost=st.integers(1, 3), seconds=st.floats(1, 50), most=st.integers(1, 4))
    def begin(self, lost: int, seconds: float, most: int) -> None:
        self.poison = Poison(lost, seconds, most)
        self.quarantine = Quarantine(self.poison)
        self.now = 0.0
        self.blames: list[tuple[str, int, float]] = []  # whom, how often, until when

    def forget(self, name: str) -> None:
        self.blames = [blame for blame in self.blames if blame[0] != name]

    def lost(self, name: str) -> int:
        return sum(times for known, times, _ in self.blames if known == name)

    @rule(seconds=st.floats(0, 30))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.blames = [blame for blame in self.blames if self.now < blame[2]]

    @rule(name=names)
    def blame(self, name: str) -> None:
        lost = self.lost(name) + 1
        self.forget(name)
        self.blames = [*self.blames, (name, lost, self.now + self.poison.seconds)]
        self.blames = self.blames[-self.poison.most :]
        held = self.quarantine.blame(name, self.now, "GenerateText")
        assert held is (lost >= self.poison.workers_lost)

    @rule(name=names)
    def absolve(self, name: str) -> None:
        if self.lost(name) < self.poison.workers_lost:
            self.forget(name)
        self.quarantine.absolve(name)

    @rule(name=names)
    def clear(self, name: str) -> None:
        self.quarantine.held(name, self.now)  # what is over is gone from here on
        assert self.quarantine.clear(name) == (self.lost(name) > 0)
        self.forget(name)

    @invariant()
    def holds_whom_it_should(self) -> None:
        held = [
            (name, until) for name, times, until in self.blames if times >= self.poison.workers_lost
        ]
        entries = self.quarantine.entries(self.now)
        assert [(entry.fingerprint, entry.until) for entry in entries] == held
        for name, until in held:
            assert self.quarantine.held(name, self.now) == until - self.now
        told = self.quarantine.statistics()
        assert told.suspected + told.held == len(self.blames) <= self.poison.most
        assert self.quarantine.is_empty is (not self.blames)


TestQuarantineMachine = QuarantineMachine.TestCase
