"""Measure what a picture shows: colours, shapes, count and place. Plain numpy; no model judges."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.image.drawing import SIDE, Pixels, colour_of, coverage
from training.image.scenes import COLOURS, PLAIN, SHAPES, Scene

_NAMES = (*COLOURS, PLAIN)
_PALETTE = np.array([colour_of(name) for name in _NAMES], np.float32)
# Smaller ones are blurred edges, or specks that nobody would call a thing.
_LEAST_PIXELS = 24
# What may differ from the shape that a thing is most like, as a share of the thing's area.
_MOST_UNLIKE = 0.45
_ROWS, _COLUMNS = np.mgrid[0:SIDE, 0:SIDE]


@dataclass(frozen=True)
class Seen:
    """Tell one thing in a picture: ``shape`` is empty where it is like none."""

    colour: str
    shape: str
    x: float
    y: float


@dataclass(frozen=True)
class Verdict:
    """Tell what of a scene its picture shows rightly.

    colour: the things have the colours that were asked for, no other, and so has the background.
    shape: every thing is of a shape that was asked for, and every such shape is there.
    pairs: each shape has its own colour.
    count: so many things as were asked for, of each colour.
    place: the first is where it should be of the second; None where the prompt doesn't say.
    """

    colour: bool
    shape: bool
    pairs: bool
    count: bool
    place: bool | None


def judge(scene: Scene, picture: Pixels) -> Verdict:
    """Hold a picture against what was asked for."""
    background, seen = look(picture)
    asked = scene.things
    wanted = [thing.colour for thing in asked for _ in range(thing.count)]
    return Verdict(
        colour=background == scene.background
        and {one.colour for one in seen} == {thing.colour for thing in asked},
        shape={one.shape for one in seen} == {thing.shape for thing in asked},
        pairs={(one.colour, one.shape) for one in seen}
        == {(thing.colour, thing.shape) for thing in asked},
        count=sorted(one.colour for one in seen) == sorted(wanted),
        place=None if scene.relation is None else _is_placed(scene, seen),
    )


def look(picture: Pixels) -> tuple[str, list[Seen]]:
    """Give the background's colour and the things on it."""
    distance = np.square(picture[:, :, None].astype(np.float32) - _PALETTE).sum(axis=3)
    nearest = distance.argmin(axis=2)
    border = np.concatenate([nearest[0], nearest[-1], nearest[:, 0], nearest[:, -1]])
    background = int(np.bincount(border).argmax())
    away = np.sqrt(np.square(picture - _PALETTE[background]).sum(axis=2))
    seen = []
    for part in _parts(_opened(away > 45)):
        core = _shrunk(part)
        colour = int(np.bincount(nearest[core if core.any() else part]).argmax())
        if colour != background:
            covered = _covered(picture, part, background, colour)
            shape, x, y = _shape_of(covered)
            seen.append(Seen(_NAMES[colour], shape, x, y))
    return _NAMES[background], seen


def _is_placed(scene: Scene, seen: list[Seen]) -> bool:
    """Tell by the middles of the two things, the farthest apart of each kind counted."""
    first, second = scene.things
    for one in seen:
        for other in seen:
            is_asked = (one.colour, other.colour) == (first.colour, second.colour) and (
                one.shape,
                other.shape,
            ) == (first.shape, second.shape)
            right, down = one.x - other.x, one.y - other.y
            towards = {"above": -down, "below": down, "left": -right, "right": right}
            assert scene.relation is not None
            if is_asked and one is not other and towards[scene.relation] >= max(towards.values()):
                return True
    return False


def _parts(mask: Any) -> Iterator[Any]:
    """Give each connected part of ``mask`` that is large enough, as a mask."""
    labels = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0)
    while True:
        grown = np.where(mask, _shifts(labels).max(axis=0), 0)
        if (grown == labels).all():
            break
        labels = grown
    names, sizes = np.unique(labels[mask], return_counts=True)
    for name in names[sizes >= _LEAST_PIXELS]:
        yield labels == name


def _opened(mask: Any) -> Any:
    """Give ``mask`` without what is a single pixel wide."""
    return mask & _grown(_shrunk(mask))


def _grown(mask: Any) -> Any:
    return _shifts(mask).any(axis=0)


def _shrunk(mask: Any) -> Any:
    return _shifts(mask).all(axis=0)


def _shifts(mask: Any) -> Any:
    """Give ``mask`` and its four neighbours, stacked; beyond the border there is nothing."""
    wide = np.pad(mask, 1)
    return np.stack(
        [wide[1:-1, 1:-1], wide[:-2, 1:-1], wide[2:, 1:-1], wide[1:-1, :-2], wide[1:-1, 2:]]
    )


def _covered(picture: Pixels, part: Any, background: int, colour: int) -> Any:
    """Give how much of each pixel the thing covers, from 0 to 1: its blurred edge with it."""
    towards = _PALETTE[colour] - _PALETTE[background]
    share = (picture - _PALETTE[background]) @ towards / np.square(towards).sum()
    return np.where(_grown(_grown(part)), np.clip(share, 0.0, 1.0), 0.0)


def _shape_of(covered: Any) -> tuple[str, float, float]:
    """Give the shape that a thing is most like, or nothing where it is like none; and its middle.

    It is held against each shape of the same area and the same centre of mass.
    """
    area = float(covered.sum())
    x, y = float((covered * _COLUMNS).sum() / area), float((covered * _ROWS).sum() / area)
    unlike = {}
    for shape, (size, below) in _FORMS.items():
        radius = math.sqrt(area / size)
        like = coverage(shape, x, y - below * radius, radius)
        unlike[shape] = float(np.abs(covered - like).sum()) / area
    shape = min(unlike, key=unlike.__getitem__)
    return (shape if unlike[shape] <= _MOST_UNLIKE else ""), x, y


def _form(shape: str) -> tuple[float, float]:
    """Give a shape's area and how far below its middle its centre of mass is, for a radius of 1."""
    radius, middle = 20.0, 31.5
    covered = coverage(shape, middle, middle, radius)
    below = float((covered * _ROWS).sum() / covered.sum()) - middle
    return float(covered.sum()) / radius**2, below / radius


_FORMS = {shape: _form(shape) for shape in SHAPES}
