"""Budget: what retries cost, and what pays for them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from failsoft.supervisors.routing.budget import Budget, TokenBucket


def bucket_of(budget: Budget | None = None, now: float = 0.0) -> TokenBucket:
    return TokenBucket(budget or Budget(), now)


def spent(bucket: TokenBucket, now: float = 0.0) -> int:
    """Spend until it is refused; give how often it wasn't."""
    times = 0
    while bucket.spend(now):
        times += 1
    return times


def test_of_a_hundred_that_fail_at_once_about_ten_are_sent_again() -> None:
    """RY-03 The rest is refused; nothing is owed by it."""
    bucket = bucket_of()
    assert sum(bucket.spend(0.0) for _ in range(100)) == 10
    told = bucket.statistics()
    assert (told.tokens, told.spent, told.refused) == (0.0, 10, 90)


@pytest.mark.parametrize("tenths", [1, 7, 10, 25, 100])
def test_ten_successes_pay_for_one_retry(tenths: int) -> None:
    """RY-03 Exactly: ten tenths are a whole one, whatever floats make of that."""
    bucket = bucket_of(Budget(per_second=0.0))
    spent(bucket)
    for _ in range(10 * tenths):
        bucket.earn()
    assert spent(bucket) == min(tenths, 10)
    assert bucket.tokens(0.0) == pytest.approx(0, abs=1e-9)
    assert bucket.tokens(0.0) >= 0
    assert bucket.statistics().successes == 10 * tenths


def test_a_quiet_service_has_a_retry_every_ten_seconds() -> None:
    """RY-03 Without any success; never more than the most."""
    bucket = bucket_of(now=50.0)
    spent(bucket, 50.0)
    assert [bucket.spend(now) for now in (59.0, 60.0, 61.0, 69.0, 70.0)] == [
        *(False, True, False, False, True)
    ]
    assert bucket.tokens(1e6) == 10.0
    assert spent(bucket, 1e6) == 10


def test_to_look_at_the_tokens_does_not_change_them() -> None:
    """RY-03 However often."""
    bucket = bucket_of()
    spent(bucket)
    assert [bucket.tokens(5.0) for _ in range(3)] == [0.5] * 3
    assert bucket.tokens(0.0) == 0.0


def test_a_clock_that_steps_back_gives_nothing_twice() -> None:
    """RY-03 The same seconds count once."""
    bucket = bucket_of()
    spent(bucket)
    assert bucket.spend(10.0)
    assert not bucket.spend(0.0)
    assert not bucket.spend(10.0)


def test_a_budget_of_none_allows_no_retry() -> None:
    """RY-03 Ever."""
    bucket = bucket_of(Budget(most=0.0))
    bucket.earn()
    assert not bucket.spend(1e9)


def test_its_picture_shows_what_is_left() -> None:
    """RY-03 For the log."""
    bucket = bucket_of()
    bucket.spend(0.0)
    assert repr(bucket) == "<TokenBucket 9 of 10 tokens, 1 spent, 0 refused>"


@pytest.mark.parametrize(
    "wrong",
    [{"ratio": -0.1}, {"most": 0.5}, {"most": math.inf}, {"per_second": math.nan}, {"most": -1}],
)
def test_a_budget_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    """RY-03 With what is asked for."""
    with pytest.raises(ValueError, match="ratio >= 0"):
        Budget(**wrong)


class BucketMachine(RuleBasedStateMachine):
    """Hold the bucket against its law, whatever happens in which order."""

    @initialize(
        ratio=st.floats(0, 2),
        most=st.just(0.0) | st.floats(1, 30),
        per_second=st.floats(0, 5),
        now=st.floats(0, 1e6),
    )
    def begin(self, ratio: float, most: float, per_second: float, now: float) -> None:
        self.budget = Budget(ratio, most, per_second)
        self.bucket = TokenBucket(self.budget, now)
        self.began = self.now = now
        self.earned = self.spent = 0

    @rule(times=st.integers(1, 30))
    def earn(self, times: int) -> None:
        for _ in range(times):
            self.bucket.earn()
        self.earned += times

    @rule(times=st.integers(1, 30))
    def spend(self, times: int) -> None:
        for _ in range(times):
            there = self.bucket.tokens(self.now)
            paid = self.bucket.spend(self.now)
            assert paid is (there >= 1 - 1e-9)
            assert self.bucket.tokens(self.now) == pytest.approx(max(0, there - paid))
            self.spent += paid

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def never_more_than_was_there(self) -> None:
        budget = self.budget
        came = budget.ratio * self.earned + budget.per_second * (self.now - self.began)
        assert self.spent <= budget.most + came + 1e-6
        assert 0 <= self.bucket.tokens(self.now) <= budget.most
        assert self.bucket.statistics().spent == self.spent


TestBucketMachine = BucketMachine.TestCase


@given(st.lists(st.booleans(), min_size=1, max_size=300))
def test_retries_of_live_traffic_are_a_tenth_of_it(outcomes: list[bool]) -> None:
    """RY-03 And the ten that there are at first; every success counts until it is full."""
    bucket = bucket_of(Budget(per_second=0.0))
    retries = 0
    for well in outcomes:
        if well:
            bucket.earn()
        else:
            retries += bucket.spend(0.0)
    assert retries <= 10 + sum(outcomes) / 10 + 1e-6
    assert retries >= min(10, outcomes.count(False))
