"""Tokens a second, from what the models have counted."""

from __future__ import annotations

from failsoft.actors import TreeNode
from failsoft.service.page.rates import Rates


def model(tokens: int, path: str = "root/m") -> TreeNode:
    shows = {"model_state": "ready", "tokens": tokens}
    return TreeNode(path, "ModelActor", "running", 0.0, 0, 0, 0, 0, 0, 0, True, shows, ())


def looked(*looks: tuple[float, int]) -> Rates:
    rates = Rates()
    for at, tokens in looks:
        rates.look([model(tokens)], at)
    return rates


def test_the_first_look_tells_nothing() -> None:
    """What was before it may have taken any time."""
    assert looked((10.0, 500)).now == {}


def test_the_rate_is_of_the_time_between_two_looks() -> None:
    """And the past is kept for those who look later."""
    rates = looked((10.0, 500), (12.0, 590), (13.0, 590))
    assert rates.now == {"root/m": 0.0}
    assert list(rates.past) == [(12.0, {"root/m": 45.0}), (13.0, {"root/m": 0.0})]


def test_looks_of_many_pages_are_one() -> None:
    """Within a second the rate stays."""
    assert looked((10.0, 0), (11.0, 30), (11.2, 99), (11.9, 99)).now == {"root/m": 30.0}


def test_after_a_pause_it_begins_anew() -> None:
    """The mean of an hour is not what is now."""
    assert looked((10.0, 0), (11.0, 30), (3611.0, 99_999)).now == {}


def test_a_model_that_was_restarted_counts_from_nothing() -> None:
    """Its rate is never below 0."""
    assert looked((10.0, 500), (11.0, 20)).now == {"root/m": 20.0}


def test_two_minutes_are_kept() -> None:
    """However long somebody looks."""
    assert len(looked(*((float(second), second) for second in range(500))).past) == 120


def test_a_model_that_comes_is_told_from_its_second_look_on() -> None:
    """And one that goes isn't told any more."""
    rates = looked((10.0, 0))
    rates.look([model(5), model(100, "root/new")], 11.0)
    assert rates.now == {"root/m": 5.0}
    rates.look([model(130, "root/new")], 12.0)
    assert rates.now == {"root/new": 30.0}
