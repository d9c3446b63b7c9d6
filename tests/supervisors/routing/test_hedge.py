"""Hedge: when a second model is asked too."""

from __future__ import annotations

import math

import pytest

from failsoft.supervisors.routing.first_answers import FirstAnswers
from failsoft.supervisors.routing.hedge import Hedge


def answers_of(hedge: Hedge, *times: float) -> FirstAnswers:
    answers = FirstAnswers(hedge.quantile, hedge.minimum)
    for seconds in times:
        answers.observe(seconds)
    return answers


def test_it_waits_as_long_as_nearly_all_answers_took() -> None:
    """FB-01 The slowest of twenty is hedged."""
    hedge = Hedge()
    assert hedge.delay(answers_of(hedge, *range(1, 21))) == 19


def test_it_does_not_hedge_before_enough_is_known() -> None:
    """FB-01 Nineteen are too few."""
    hedge = Hedge()
    assert hedge.delay(answers_of(hedge, *range(1, 20))) is None


def test_it_waits_a_little_however_fast_the_model_is() -> None:
    """FB-01 Or noise would double the traffic."""
    hedge = Hedge(minimum=1, least_seconds=0.2)
    assert hedge.delay(answers_of(hedge, 0.001)) == 0.2
    assert hedge.delay(answers_of(hedge, 0.3)) == 0.3


@pytest.mark.parametrize(
    "wrong",
    [
        {"quantile": 0.0},
        {"quantile": 1.5},
        {"minimum": 0},
        {"least_seconds": -1.0},
        {"least_seconds": math.inf},
        {"least_seconds": math.nan},
    ],
)
def test_a_hedge_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    """FB-01 With what is asked for."""
    with pytest.raises(ValueError, match="least_seconds >= 0"):
        Hedge(**wrong)  # type: ignore[arg-type]
