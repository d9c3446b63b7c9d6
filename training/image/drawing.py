"""Draw a scene as pixels, with numpy alone: edges are smooth, positions and sizes vary."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.image.scenes import COLOURS, PLAIN, PLAIN_COLOUR, Scene

SIDE = 64
Pixels = NDArray[np.uint8]
Shares = NDArray[np.float32]

# From a thing's edge to the next thing's and to the border, in pixels.
_GAP = 4.0
_MARGIN = 2.0
_ROWS, _COLUMNS = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
# What a radius is multiplied by, so that all shapes look about as large.
_REACH = {"circle": 1.0, "square": 0.88, "triangle": 1.1, "star": 1.2}
_STAR_WAIST = 0.42


def colour_of(name: str) -> tuple[int, int, int]:
    return PLAIN_COLOUR if name == PLAIN else COLOURS[name]


def draw(scene: Scene, random: Random) -> Pixels:
    """Give the picture: SIDE x SIDE x 3."""
    picture: Any = np.empty((SIDE, SIDE, 3), np.float32)
    picture[:] = colour_of(scene.background)
    for (shape, colour), (x, y, radius) in zip(
        _singles(scene), _places(scene, random), strict=True
    ):
        cover = coverage(shape, x, y, radius)[:, :, None]
        picture += cover * (np.array(colour_of(colour), np.float32) - picture)
    pixels: Pixels = np.rint(picture).astype(np.uint8)
    return pixels


def coverage(shape: str, x: float, y: float, radius: float) -> Shares:
    """Give how much of each pixel the shape covers, from 0 to 1."""
    covered: Shares = np.clip(0.5 - _outside(shape, _COLUMNS - x, _ROWS - y, radius), 0.0, 1.0)
    return covered


def _outside(shape: str, dx: Any, dy: Any, radius: float) -> Any:
    """Give how far each pixel is outside of the shape's edge; inside it is negative."""
    reach = radius * _REACH[shape]
    match shape:
        case "circle":
            return np.hypot(dx, dy) - reach
        case "square":
            return np.maximum(np.abs(dx), np.abs(dy)) - reach
        case "triangle":
            # Its box is centred: the base below, the tip above.
            slope = np.abs(dx) * (2 / math.sqrt(5)) - (dy + reach) * (1 / math.sqrt(5))
            return np.maximum(slope, dy - reach)
        case "star":
            # Five times the same half of a point: one edge, from its tip to the waist.
            turn = math.pi / 5
            angle = np.abs((np.arctan2(dx, -dy) + turn) % (2 * turn) - turn)
            length = np.hypot(dx, dy)
            waist_x, waist_y = _STAR_WAIST * math.cos(turn), _STAR_WAIST * math.sin(turn)
            edge = math.hypot(waist_x - 1, waist_y)
            along, across = length * np.cos(angle), length * np.sin(angle)
            return (along * waist_y - across * (waist_x - 1) - reach * waist_y) / edge
        case _:
            raise ValueError(f"no such shape: {shape!r}")


def _singles(scene: Scene) -> list[tuple[str, str]]:
    return [(one.shape, one.colour) for one in scene.things for _ in range(one.count)]


def _places(scene: Scene, random: Random) -> list[tuple[float, float, float]]:
    """Give centre and radius of each single thing: in the picture, and clear of each other."""
    shapes = [shape for shape, _ in _singles(scene)]
    while True:
        radii = [_radius(scene, random) for _ in shapes]
        room = [_REACH[shape] * radius for shape, radius in zip(shapes, radii, strict=True)]
        places = [
            (random.uniform(edge, SIDE - 1 - edge), random.uniform(edge, SIDE - 1 - edge))
            for edge in (reach + _MARGIN for reach in room)
        ]
        if _clear(places, room) and _related(scene.relation, places):
            return [(x, y, radius) for (x, y), radius in zip(places, radii, strict=True)]


def _radius(scene: Scene, random: Random) -> float:
    things = sum(thing.count for thing in scene.things)
    if things > 1:
        return random.uniform(8.5, 13.5 - things)
    return random.uniform(
        *{"small": (8.0, 9.5), "big": (18.0, 23.0)}.get(scene.things[0].size, (11.0, 16.0))
    )


def _clear(places: list[tuple[float, float]], room: list[float]) -> bool:
    return all(
        max(abs(places[a][0] - places[b][0]), abs(places[a][1] - places[b][1]))
        >= room[a] + room[b] + _GAP
        for a in range(len(places))
        for b in range(a)
    )


def _related(relation: str | None, places: list[tuple[float, float]]) -> bool:
    """Tell whether the first is where it should be of the second: more so than anywhere else."""
    if relation is None:
        return True
    (x, y), (other_x, other_y) = places
    right, down = x - other_x, y - other_y
    match relation:
        case "above":
            return -down > 2 * abs(right)
        case "below":
            return down > 2 * abs(right)
        case "left":
            return -right > 2 * abs(down)
        case _:
            return right > 2 * abs(down)
