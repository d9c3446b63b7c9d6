"""Measure what a picture shows: colours, shapes, count and place. Plain numpy; no model judges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.image.drawing import Pixels, colour_of, coverage
from training.image.scenes import COLOURS, PLAIN, SHAPES, Scene

_NAMES = (*COLOURS, PLAIN)
_PALETTE = np.array([colour_of(name) for name in _NAMES], np.float32)
# Smaller ones are blurred edges, or specks that nobody would call a thing.
_LEAST_PIXELS = 24
_GRID = 24
# Of a thing's box, the share that may differ from the shape it is most like.
_MOST_UNLIKE = 0.22
_LONGEST = 1.6


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
    # Half way from the background to a thing's own colour is the thing's edge.
    away = np.sqrt(np.square(picture - _PALETTE[background]).sum(axis=2))
    seen = []
    for part in _parts(_opened(away > 45)):
        core = _shrunk(part)
        colour = int(np.bincount(nearest[core if core.any() else part]).argmax())
        whole = part & (away > np.median(away[part]) / 2)
        rows, columns = np.nonzero(whole)
        if colour != background and len(rows) >= _LEAST_PIXELS:
            centre = float(columns.mean()), float(rows.mean())
            seen.append(Seen(_NAMES[colour], _shape_of(whole), *centre))
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
    return mask & _shifts(_shrunk(mask)).any(axis=0)


def _shrunk(mask: Any) -> Any:
    return _shifts(mask).all(axis=0)


def _shifts(mask: Any) -> Any:
    """Give ``mask`` and its four neighbours, stacked; beyond the border there is nothing."""
    wide = np.pad(mask, 1)
    return np.stack(
        [wide[1:-1, 1:-1], wide[:-2, 1:-1], wide[2:, 1:-1], wide[1:-1, :-2], wide[1:-1, 2:]]
    )


def _shape_of(mask: Any) -> str:
    """Give the shape that a thing is most like, or nothing where it is like none."""
    rows, columns = np.nonzero(mask)
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    if max(height, width) > _LONGEST * min(height, width):
        return ""
    box = _boxed(mask)
    unlike = {shape: float((box != like).mean()) for shape, like in _TEMPLATES.items()}
    shape = min(unlike, key=unlike.__getitem__)
    return shape if unlike[shape] <= _MOST_UNLIKE else ""


def _boxed(mask: Any) -> Any:
    """Give what is in the box around the thing, as a grid of _GRID x _GRID."""
    rows, columns = np.nonzero(mask)
    steps = (np.arange(_GRID) + 0.5) / _GRID
    down = (rows.min() + steps * (np.ptp(rows) + 1)).astype(int)
    across = (columns.min() + steps * (np.ptp(columns) + 1)).astype(int)
    return mask[np.ix_(down, across)]


_TEMPLATES = {shape: _boxed(coverage(shape, 31.5, 31.5, 20.0) > 0.5) for shape in SHAPES}
