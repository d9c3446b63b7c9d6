"""Measure the image model that lies in the package: ``python -m training evaluate image``.

It makes a picture of each of 200 prompts that it was never trained on, through the engine that
serves it, and writes a sheet of the first ones to ``build/tiny-image.png``.
"""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from failsoft.gpu.image.engine import ImageEngine
from failsoft.messages import GenerateImage, ImageReply
from training.image.drawing import SIDE, Pixels
from training.image.measure import Verdict, judge
from training.image.scenes import Scene, held_out_scenes
from training.image.wording import plainly

_PROMPTS = 200
_SEED = 11
_SHEET = Path("build/tiny-image.png")
_SHEET_SIDE = 10


@dataclass(frozen=True)
class Made:
    """Hold what was asked for, the picture, and what is right about it."""

    scene: Scene
    picture: Pixels
    verdict: Verdict


@dataclass(frozen=True)
class Shares:
    """Tell which share of pictures is right by each measure; ``place`` is of those that say one."""

    colour: float
    shape: float
    pairs: float
    count: float
    place: float


def main() -> None:
    """Print the shares, for each kind of prompt and all of them; write the sheet."""
    engine = ImageEngine("failsoft:tiny-image", device="cpu")
    engine.load(lambda done, total: None)
    start = time.monotonic()
    made = list(pictures(engine, held_out_scenes(_PROMPTS, Random(_SEED))))
    print(f"{(time.monotonic() - start) / len(made):.2f} s a picture")
    groups = {
        "all": made,
        "a pair of colour and shape never seen": [m for m in made if m.scene.has_unseen_pair],
        "pairs seen, not together": [m for m in made if not m.scene.has_unseen_pair],
        "one": [m for m in made if _number(m.scene) == 1],
        "two kinds": [m for m in made if len(m.scene.things) == 2],
        **{
            f"{count} alike": [
                m for m in made if len(m.scene.things) == 1 and _number(m.scene) == count
            ]
            for count in (2, 3, 4)
        },
    }
    for name, group in groups.items():
        print(f"{name} ({len(group)}): {shares(group)}")
    _SHEET.parent.mkdir(exist_ok=True)
    sheet(made[: _SHEET_SIDE**2]).save(_SHEET)
    for row in range(0, _SHEET_SIDE**2, _SHEET_SIDE):
        print("; ".join(plainly(m.scene) for m in made[row : row + _SHEET_SIDE]))


def pictures(
    engine: ImageEngine, scenes: list[Scene], steps: int = 15, guidance: float = 4.0
) -> Iterator[Made]:
    """Make and judge a picture of each scene. Each has the seed of its place in the list."""
    for seed, scene in enumerate(scenes):
        request = GenerateImage(
            plainly(scene),
            width=SIDE,
            height=SIDE,
            num_inference_steps=steps,
            guidance_scale=guidance,
            seed=seed,
        )
        picture = pixels(answer(engine, request))
        yield Made(scene, picture, judge(scene, picture))


def answer(engine: ImageEngine, request: GenerateImage) -> ImageReply:
    """Give the engine's reply."""
    *_, last = engine.generate(request)
    assert last.image is not None
    return last.image


def pixels(reply: ImageReply) -> Pixels:
    file = io.BytesIO(base64.b64decode(reply.image_base64))
    return np.asarray(Image.open(file).convert("RGB"))


def shares(made: list[Made]) -> Shares:
    """Give the share of right pictures by each measure; 0 where there are none."""
    verdicts = [one.verdict for one in made]
    placed = [verdict.place for verdict in verdicts if verdict.place is not None]
    return Shares(
        colour=_share([verdict.colour for verdict in verdicts]),
        shape=_share([verdict.shape for verdict in verdicts]),
        pairs=_share([verdict.pairs for verdict in verdicts]),
        count=_share([verdict.count for verdict in verdicts]),
        place=_share(placed),
    )


def sheet(made: list[Made]) -> Image.Image:
    """Lay the pictures out in rows, twice as large."""
    rows = [made[row : row + _SHEET_SIDE] for row in range(0, len(made), _SHEET_SIDE)]
    lines = [np.concatenate([one.picture for one in row], axis=1) for row in rows]
    whole = Image.fromarray(np.concatenate(lines))
    return whole.resize((whole.width * 2, whole.height * 2), Image.Resampling.NEAREST)


def _number(scene: Scene) -> int:
    return sum(thing.count for thing in scene.things)


def _share(rights: list[bool]) -> float:
    return round(sum(rights) / len(rights), 3) if rights else 0.0
