"""First answers: the quantile of the last ones."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.supervisors.routing.first_answers import FirstAnswers


def test_below_the_minimum_nothing_is_told() -> None:
    """FB-01 So that a few odd ones don't set the pace."""
    answers = FirstAnswers(0.95, 3)
    for seconds in (5.0, 1.0):
        answers.observe(seconds)
        assert answers.quantile is None
    answers.observe(3.0)
    assert answers.quantile == 5.0
    assert (answers.statistics().kept, answers.statistics().quantile) == (3, 5.0)
    assert repr(answers) == "<FirstAnswers 3 kept, quantile 0.95: 5 s>"


def test_the_nineteenth_of_twenty_is_the_95th_percentile() -> None:
    """FB-01 And of a hundred the ninety-fifth, exactly."""
    for of in (20, 100):
        answers = FirstAnswers(0.95, 20)
        for seconds in range(of, 0, -1):
            answers.observe(seconds)
        assert answers.quantile == of * 95 // 100


@pytest.mark.parametrize(("quantile", "of", "rank"), [(0.07, 100, 7), (0.55, 20, 11), (0.01, 9, 1)])
def test_the_rank_is_exact(quantile: float, of: int, rank: int) -> None:
    """FB-01 Whatever floats make of 0.07 * 100."""
    answers = FirstAnswers(quantile, 1)
    for seconds in range(1, of + 1):
        answers.observe(seconds)
    assert answers.quantile == rank


def test_the_oldest_go() -> None:
    """FB-01 A model that has become faster is known to be."""
    answers = FirstAnswers(1.0, 1, size=5)
    for seconds in (9.0, 9.0, 1.0, 2.0, 3.0):
        answers.observe(seconds)
    assert answers.quantile == 9.0
    answers.observe(1.0)
    assert answers.quantile == 9.0
    answers.observe(1.0)
    assert answers.quantile == 3.0


@pytest.mark.parametrize("seconds", [-0.1, math.nan])
def test_a_time_that_cannot_be_is_refused(seconds: float) -> None:
    """FB-01 And changes nothing."""
    answers = FirstAnswers(0.5, 1)
    answers.observe(1.0)
    with pytest.raises(ValueError, match="at least 0 s"):
        answers.observe(seconds)
    assert answers.quantile == 1.0


@pytest.mark.parametrize(
    ("quantile", "minimum", "size"), [(0, 1, 5), (1.1, 1, 5), (0.5, 0, 5), (0.5, 6, 5)]
)
def test_what_is_out_of_range_is_refused(quantile: float, minimum: int, size: int) -> None:
    """FB-01 With what is asked for."""
    with pytest.raises(ValueError, match="0 < quantile <= 1"):
        FirstAnswers(quantile, minimum, size)


@given(
    percent=st.integers(1, 100),
    size=st.integers(1, 30),
    times=st.lists(st.floats(0, 10) | st.integers(0, 3), max_size=80),
)
def test_it_is_what_a_sorted_list_says(percent: int, size: int, times: list[float]) -> None:
    """FB-01 The smallest time that so many of the last ones don't exceed."""
    answers = FirstAnswers(percent / 100, 1, size)
    for number, seconds in enumerate(times, start=1):
        answers.observe(seconds)
        recent = sorted(times[max(0, number - size) : number])
        rank = math.ceil(Fraction(percent, 100) * len(recent))
        assert answers.quantile == recent[rank - 1]
        assert answers.statistics().kept == len(recent)
