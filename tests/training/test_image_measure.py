"""The measure that the image model is held to, held to pictures whose content is known."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from training.image.drawing import Pixels, draw
from training.image.measure import Verdict, judge, look
from training.image.scenes import RELATIONS, Scene, Thing, held_out_scenes

RIGHT = Verdict(colour=True, shape=True, pairs=True, count=True, place=None)
TWO_RED_STARS = Scene((Thing("red", "star", 2),), background="white")
ABOVE = Scene((Thing("green", "triangle"), Thing("white", "circle")), "above")


def drawn(scene: Scene) -> Pixels:
    return draw(scene, Random(1))


def test_what_was_drawn_is_found_right() -> None:
    """Nearly always: a measure that errs can't tell a model that does."""
    random = Random(1)
    scenes = held_out_scenes(150, random)
    verdicts = [judge(scene, draw(scene, random)) for scene in scenes]
    right = [
        v.colour and v.shape and v.pairs and v.count and v.place is not False for v in verdicts
    ]
    assert sum(right) >= 148


@pytest.mark.parametrize(
    ("other", "wrong"),
    [
        (Scene((Thing("blue", "star", 2),), background="white"), {"colour", "pairs", "count"}),
        (Scene((Thing("red", "star", 2),), background="black"), {"colour"}),
        (Scene((Thing("red", "circle", 2),), background="white"), {"shape", "pairs"}),
        (Scene((Thing("red", "star", 3),), background="white"), {"count"}),
        (
            Scene((Thing("red", "star"), Thing("red", "square")), background="white"),
            {"shape", "pairs"},
        ),
    ],
)
def test_another_picture_is_wrong_in_what_is_other(other: Scene, wrong: set[str]) -> None:
    """Each measure alone: one that is always content would hide what the model can't."""
    verdict = judge(TWO_RED_STARS, drawn(other))
    assert {
        name for name in ("colour", "shape", "pairs", "count") if not getattr(verdict, name)
    } == (wrong)


def test_shapes_that_have_each_other_s_colour_are_told() -> None:
    """All colours and shapes are there, and yet it is another picture."""
    swapped = Scene((Thing("white", "triangle"), Thing("green", "circle")), "above")
    verdict = judge(ABOVE, drawn(swapped))
    assert (verdict.colour, verdict.shape, verdict.count) == (True, True, True)
    assert not verdict.pairs
    assert not verdict.place


@pytest.mark.parametrize("relation", RELATIONS)
def test_only_the_place_that_was_asked_for_is_right(relation: str) -> None:
    """A thing is above, below, left or right of another one, and never two of it."""
    picture = drawn(Scene(ABOVE.things, relation))
    right = [name for name in RELATIONS if judge(Scene(ABOVE.things, name), picture).place]
    assert right == [relation]


def test_a_blot_is_no_shape_and_a_plain_picture_holds_nothing() -> None:
    """What nobody could name doesn't count as the shape that it is least unlike."""
    plain = np.full((64, 64, 3), 180, np.uint8)
    assert look(plain) == ("grey", [])
    blot = plain.copy()
    blot[10:14, 10:40] = blot[10:40, 10:14] = (220, 40, 40)
    (seen,) = look(blot)[1]
    assert (seen.colour, seen.shape) == ("red", "")


def test_noise_of_a_decoder_does_not_change_what_is_seen() -> None:
    """Colours that are a little off are still those colours."""
    noise = np.random.default_rng(1).normal(0, 8, (64, 64, 3))
    noisy = np.clip(drawn(TWO_RED_STARS) + noise, 0, 255).astype(np.uint8)
    assert judge(TWO_RED_STARS, noisy) == RIGHT
