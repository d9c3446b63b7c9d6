"""Degradation: the level that follows from the load, and what it leaves of a request."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.gpu.serving.batch_room import BatchRoom
from failsoft.messages import GenerateText, Request
from failsoft.supervisors.routing.degradation import (
    Degradation,
    Level,
    LoadLevel,
    degraded,
    halved,
    warning_for,
)

FULL, REDUCED, MINIMAL = Level.FULL, Level.REDUCED, Level.MINIMAL
DEFAULTS = Degradation()


class Draw(Request[bytes], frozen=True):
    """Ask for an image, in so many steps."""

    prompt: str
    num_inference_steps: int = 50
    max_tokens: int | None = None


class Embed(Request[bytes], frozen=True):
    """Ask for what has neither tokens nor steps."""

    text: str


def followed(*loads: float | None, degradation: Degradation = DEFAULTS) -> list[Level]:
    level = LoadLevel(degradation)
    return [level.update(load) for load in loads]


# -- the level


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        *((0.0, FULL), (0.70, FULL), (0.7001, REDUCED)),
        *((0.90, REDUCED), (0.9001, MINIMAL), (1.0, MINIMAL), (1.5, MINIMAL)),
        *((None, FULL), (math.nan, FULL)),
    ],
)
def test_the_level_follows_from_the_load(load: float | None, expected: Level) -> None:
    """DG-01 The limits belong to the lower level; no sensor is half."""
    assert followed(load) == [expected]


@pytest.mark.parametrize("load", [None, math.nan])
def test_a_load_that_is_not_known_is_half(load: float | None) -> None:
    """DG-01 Which may be reduced, where it is set so."""
    assert followed(load, degradation=Degradation(reduced_above=0.4)) == [REDUCED]


def test_it_does_not_flap() -> None:
    """DG-01 It stays where it went, while the load only wavers."""
    assert followed(0.69, 0.71, 0.69, 0.71, 0.66) == [FULL, *[REDUCED] * 4]
    assert followed(0.89, 0.91, 0.89, 0.91, 0.86) == [REDUCED, *[MINIMAL] * 4]


def test_it_goes_down_five_points_below_where_it_went_up() -> None:
    """DG-01 As many levels as the load asks for."""
    assert followed(0.71, 0.65, 0.69) == [REDUCED, FULL, FULL]
    assert followed(0.91, 0.85, 0.89) == [MINIMAL, REDUCED, REDUCED]
    assert followed(0.91, 0.66, 0.65) == [MINIMAL, REDUCED, FULL]
    assert followed(0.1, 0.95, 0.1) == [FULL, MINIMAL, FULL]
    assert followed(0.95, None) == [MINIMAL, FULL]


def test_an_operator_holds_the_level() -> None:
    """DG-01 Whatever the load is; then it follows the load as it is by then."""
    level = LoadLevel(DEFAULTS)
    assert level.force(MINIMAL) is MINIMAL
    assert level.update(0.1) is MINIMAL
    assert level.update(0.75) is MINIMAL
    assert repr(level) == "<LoadLevel minimal, forced>"
    told = level.statistics()
    assert (told.level, told.measured, told.is_forced) == ("minimal", "reduced", True)
    assert level.force(None) is REDUCED
    assert not level.is_forced
    assert level.statistics().changes == 2


@given(
    st.lists(st.none() | st.floats(0, 1) | st.sampled_from([0.65, 0.7, 0.85, 0.9]), max_size=40),
    st.floats(0, 0.3),
)
def test_it_is_never_outside_of_what_the_load_allows(
    loads: list[float | None], hysteresis: float
) -> None:
    """DG-01 A level changes only beyond its limits, by the hysteresis on the way down."""
    order = list(Level)
    level = LoadLevel(Degradation(hysteresis=hysteresis))
    before = 0
    for given_load in loads:
        load = 0.5 if given_load is None else given_load
        at = order.index(level.update(given_load))
        at_least = (load > 0.7) + (load > 0.9)
        assert at >= at_least
        if at > before:
            assert at == at_least
        if at < before:
            limit = (0.7, 0.9)[at]
            assert load <= limit - hysteresis + 1e-6
        before = at


# -- what it leaves of a request


@pytest.mark.parametrize(
    ("level", "tokens", "steps"), [(FULL, 100, 50), (REDUCED, 70, 35), (MINIMAL, 40, 20)]
)
def test_tokens_and_steps_are_scaled(level: Level, tokens: int, steps: int) -> None:
    """DG-02 100 → 70 → 40, 50 → 35 → 20; the rest of the request stays."""
    asked = GenerateText("Hi", max_tokens=100, seed=3)
    served, is_less = degraded(asked, level, DEFAULTS)
    divisor = DEFAULTS.batch_divisor[list(Level).index(level)]
    assert served == GenerateText("Hi", max_tokens=tokens, seed=3, batch_divisor=divisor)
    assert is_less is (level is not FULL)
    assert degraded(Draw("a cat"), level, DEFAULTS)[0] == Draw("a cat", steps)
    assert asked.max_tokens == 100


def test_ninety_tokens_are_sixty_three() -> None:
    """DG-02 Whatever floats make of 90 * 0.7."""
    assert degraded(GenerateText("Hi", max_tokens=90), REDUCED, DEFAULTS)[0].max_tokens == 63


@pytest.mark.parametrize("asked", [Draw("Hi", 1, max_tokens=1), Embed("Hi")])
def test_what_cannot_be_less_is_left(asked: Any) -> None:
    """DG-02 It is the same request, and is told to be."""
    served, is_less = degraded(asked, MINIMAL, DEFAULTS)
    assert served is asked
    assert not is_less


@given(st.integers(1, 5) | st.integers(1, 40_000), st.sampled_from(list(Level)))
def test_there_is_always_one_left(tokens: int, level: Level) -> None:
    """DG-02 And never more than was asked for."""
    served, is_less = degraded(GenerateText("Hi", max_tokens=tokens), level, DEFAULTS)
    tenths = {FULL: 10, REDUCED: 7, MINIMAL: 4}[level]
    assert served.max_tokens == max(1, tokens * tenths // 10)
    assert is_less is (level is not FULL)


@pytest.mark.parametrize(
    ("size", "sizes"), [(8, [8, 5, 2]), (1, [1, 1, 1]), (2, [2, 1, 1]), (9, [9, 6, 3])]
)
def test_batches_are_divided(size: int, sizes: list[int]) -> None:
    """DG-02 8 → 5 → 2, and 1 stays 1: so many a worker's batch of ``size`` takes in."""
    room = BatchRoom(size, 10_000)
    for level, expected in zip(Level, sizes, strict=True):
        served, _ = degraded(GenerateText("Hi"), level, DEFAULTS)
        running: list[int] = []
        while room.fits(running, 10, divisor=served.batch_divisor):
            running.append(10)
        assert len(running) == expected


def test_a_request_is_halved() -> None:
    """DG-03 Half of its tokens; the rest stays."""
    asked = GenerateText("Hi", max_tokens=101, seed=3)
    assert halved(asked) == GenerateText("Hi", max_tokens=50, seed=3)
    assert halved(GenerateText("Hi", max_tokens=2)) == GenerateText("Hi", max_tokens=1)


@pytest.mark.parametrize("asked", [GenerateText("Hi", max_tokens=1), Embed("Hi"), Draw("a cat")])
def test_what_has_no_tokens_to_halve_is_not_tried_again(asked: Any) -> None:
    """DG-03 None says so."""
    assert halved(asked) is None


# -- words


def test_the_warning_says_what_was_cut() -> None:
    """DG-02 In words that a person understands."""
    asked = GenerateText("Hi", max_tokens=100)
    served, _ = degraded(asked, REDUCED, DEFAULTS)
    assert warning_for(REDUCED, asked, served) == (
        "The service is busy, so the answer was made with at most 70 tokens instead of 100."
    )
    assert warning_for(MINIMAL, Draw("a cat"), Draw("a cat", 20)) == (
        "The service is very busy, so the answer was made with at most 20 steps instead of 50."
    )
    assert warning_for(REDUCED) == (
        "The service is busy, so the answer was made with less than was asked for."
    )


def test_without_a_cut_there_is_no_warning() -> None:
    """DG-02 Nor at the full level."""
    assert warning_for(MINIMAL, Embed("Hi"), Embed("Hi")) == ""
    assert warning_for(FULL) == ""


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"reduced_above": 0.9}, "reduced_above < minimal_above"),
        ({"minimal_above": 70.0}, "reduced_above < minimal_above"),
        ({"reduced_above": math.nan}, "reduced_above < minimal_above"),
        ({"hysteresis": -0.1}, "hysteresis"),
        ({"hysteresis": 0.7}, "hysteresis"),
        ({"quality": (1.0, 0.7)}, "quality"),
        ({"quality": (1.0, 0.4, 0.7)}, "quality"),
        ({"quality": (1.0, 0.7, 0.0)}, "quality"),
        ({"quality": (1.5, 0.7, 0.4)}, "quality"),
        ({"batch_divisor": (1.0, 0.5, 3.0)}, "batch_divisor"),
        ({"batch_divisor": (1.0, 1.5, math.inf)}, "batch_divisor"),
        ({"batch_divisor": (1.0, 1.5)}, "batch_divisor"),
    ],
)
def test_a_degradation_out_of_range_is_refused(wrong: dict[str, Any], said: str) -> None:
    """DG-01 With what is asked for."""
    with pytest.raises(ValueError, match=said):
        Degradation(**wrong)
