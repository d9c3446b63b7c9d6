"""What a picture may show, and which of it is kept from training. Pure: ``random`` comes in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from random import Random

# Fixed, and far apart: what is measured is the model, not where red ends.
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (220, 40, 40),
    "green": (40, 160, 60),
    "blue": (40, 80, 220),
    "yellow": (245, 215, 50),
    "orange": (245, 130, 30),
    "purple": (140, 50, 180),
    "white": (250, 250, 250),
    "black": (20, 20, 20),
}
# Of a picture whose prompt names no background.
PLAIN = "grey"
PLAIN_COLOUR = (180, 180, 180)
SHAPES = ("circle", "square", "triangle", "star")
SIZES = ("small", "big")
RELATIONS = ("above", "below", "left", "right")
MOST = 4

# Never in a training picture, so the model has to put them together from others.
UNSEEN = frozenset(
    {("purple", "triangle"), ("orange", "star"), ("black", "circle"), ("yellow", "square")}
)
# One in so many scenes of seen things is kept from training as a whole.
_KEPT_BACK = 8


@dataclass(frozen=True)
class Thing:
    """Name a shape in a colour, and how many of it. ``size`` is in SIZES, or empty: not said."""

    colour: str
    shape: str
    count: int = 1
    size: str = ""


@dataclass(frozen=True)
class Scene:
    """Tell one or two things, where the first is of the second (in RELATIONS), and on what."""

    things: tuple[Thing, ...]
    relation: str | None = None
    background: str = PLAIN

    @property
    def has_unseen_pair(self) -> bool:
        """Tell whether a colour and a shape meet here that never do in training."""
        return any((thing.colour, thing.shape) in UNSEEN for thing in self.things)

    @property
    def is_for_training(self) -> bool:
        """Tell whether the model may see it. The size of things makes no other scene."""
        if self.has_unseen_pair:
            return False
        things = [(thing.colour, thing.shape, thing.count) for thing in self.things]
        key = repr((things, self.relation, self.background))
        return hashlib.sha256(key.encode()).digest()[0] % _KEPT_BACK != 0


def training_scene(random: Random) -> Scene:
    """Draw a scene that may be trained on."""
    while not (scene := _drawn(random)).is_for_training:
        pass
    return scene


def held_out_scenes(count: int, random: Random) -> list[Scene]:
    """Draw scenes never trained on; every other one has a pair that is in no training picture."""
    scenes: list[Scene] = []
    while len(scenes) < count:
        scene = _drawn(random)
        if not scene.is_for_training and scene.has_unseen_pair == (len(scenes) % 2 == 0):
            scenes.append(scene)
    return scenes


def _drawn(random: Random) -> Scene:
    kind = random.choices(("one", "many", "relation", "both"), (25, 30, 30, 15))[0]
    match kind:
        case "one":
            size = random.choice(("", "", *SIZES))
            things: tuple[Thing, ...] = (_thing(random, size=size),)
        case "many":
            things = (_thing(random, count=random.randint(2, MOST)),)
        case _:
            things = (_thing(random), _thing(random))
            while things[0] == things[1]:
                things = (_thing(random), _thing(random))
    relation = random.choice(RELATIONS) if kind == "relation" else None
    background = PLAIN
    if random.random() < 0.5:
        taken = {thing.colour for thing in things}
        background = random.choice([colour for colour in COLOURS if colour not in taken])
    return Scene(things, relation, background)


def _thing(random: Random, count: int = 1, size: str = "") -> Thing:
    return Thing(random.choice(list(COLOURS)), random.choice(SHAPES), count, size)
