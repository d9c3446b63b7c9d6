"""What the image model is trained on, and what is kept from it."""

from __future__ import annotations

from random import Random

import pytest
from training.image.drawing import SIDE, draw
from training.image.scenes import SHAPES, UNSEEN, Scene, Thing, held_out_scenes, training_scene
from training.image.wording import UNKNOWN, plainly, variously, vocabulary

RANDOM_SCENES = 400


def test_no_training_scene_is_one_of_those_held_out() -> None:
    """Neither a pair of colour and shape that is kept back, nor a whole scene of seen pairs."""
    random = Random(1)
    trained = [training_scene(random) for _ in range(RANDOM_SCENES)]
    held_out = held_out_scenes(RANDOM_SCENES, random)
    pairs = {(thing.colour, thing.shape) for scene in trained for thing in scene.things}
    assert pairs.isdisjoint(UNSEEN)
    assert not any(scene.is_for_training for scene in held_out)
    assert sum(scene.has_unseen_pair for scene in held_out) == RANDOM_SCENES // 2


def test_a_size_makes_no_other_scene() -> None:
    """What is held out isn't trained on as a small one."""
    for scene in held_out_scenes(RANDOM_SCENES, Random(2)):
        thing, *others = scene.things
        small = Thing(thing.colour, thing.shape, thing.count, "small")
        assert not Scene((small, *others), scene.relation, scene.background).is_for_training


@pytest.mark.parametrize(
    ("scene", "words"),
    [
        (Scene((Thing("red", "circle"),)), "a red circle"),
        (
            Scene((Thing("blue", "square", 2),), background="yellow"),
            "two blue squares on a yellow background",
        ),
        (
            Scene((Thing("green", "triangle"), Thing("white", "circle")), "above"),
            "a green triangle above a white circle",
        ),
        (
            Scene((Thing("orange", "star"), Thing("black", "square"))),
            "an orange star and a black square",
        ),
    ],
)
def test_a_scene_is_said_in_plain_english(scene: Scene, words: str) -> None:
    """These are the prompts that the model is measured by."""
    assert plainly(scene) == words


def test_every_word_that_is_said_is_in_the_vocabulary() -> None:
    """Else the model would never learn it, and an unused word would be noise."""
    random = Random(3)
    said: set[str] = set()
    for _ in range(4000):
        said.update(variously(training_scene(random), random).split())
    assert said - {UNKNOWN} <= set(vocabulary())
    assert len(set(vocabulary()) - said) <= 2


def test_a_picture_is_repeatable_and_has_its_colours_alone() -> None:
    """In a plain scene the corner is the background, whatever lies where."""
    scene = Scene((Thing("red", "star", 4),), background="blue")
    picture = draw(scene, Random(4))
    assert picture.shape == (SIDE, SIDE, 3)
    assert (picture == draw(scene, Random(4))).all()
    assert (picture != draw(scene, Random(5))).any()
    assert tuple(picture[0, 0]) == (40, 80, 220)


@pytest.mark.parametrize("shape", SHAPES)
def test_an_edge_is_smooth(shape: str) -> None:
    """Between a thing's colour and the background there are pixels of both."""
    picture = draw(Scene((Thing("black", shape),), background="white"), Random(6))
    between = (picture > 40) & (picture < 230)
    assert 10 < between[:, :, 0].sum() < 400
