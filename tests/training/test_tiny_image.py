"""The image model in the package, by what it owes: right pictures, small, and at once."""

from __future__ import annotations

import base64
import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image
from training.image.evaluate import answer, pictures, pixels, shares
from training.image.measure import look
from training.image.scenes import held_out_scenes

from failsoft.actors import ModelActor, System
from failsoft.gpu import image_worker
from failsoft.gpu.image.engine import ImageEngine
from failsoft.gpu.tiny import EMBEDDED
from failsoft.messages import GenerateImage

NAME = "failsoft:tiny-image"
FOLDER = EMBEDDED.get(NAME, Path())
PATIENCE = 60.0
MOST_BYTES = 2_500_000
pytestmark = pytest.mark.skipif(
    NAME not in EMBEDDED,
    reason="it has yet to be trained: python -m training image, then name it in gpu/tiny",
)
CIRCLE = GenerateImage("a red circle", width=64, height=64, num_inference_steps=10, seed=1)


@pytest.fixture(scope="module")
def engine() -> Iterator[ImageEngine]:
    engine = ImageEngine(NAME, device="cpu")
    engine.load(lambda done, total: None)
    yield engine
    engine.unload()


def test_pictures_of_prompts_never_trained_on_are_right(engine: ImageEngine) -> None:
    """Half of them have a colour and a shape that never met in training."""
    made = list(pictures(engine, held_out_scenes(32, Random(1))))
    right = shares(made)
    wrong = [(one.scene, one.verdict) for one in made]
    assert right.colour >= 0.9, wrong
    assert right.shape >= 0.8, wrong
    assert right.count >= 0.7, wrong


def test_it_keeps_to_the_prompt_with_the_requests_own_defaults(engine: ImageEngine) -> None:
    """A guidance of 7.5 and 50 steps are what a caller gets who names nothing else."""
    made = list(pictures(engine, held_out_scenes(6, Random(2)), steps=50, guidance=7.5))
    right = Counter(one.verdict.colour for one in made)
    assert right[True] >= 5, [(one.scene, one.verdict) for one in made]


@pytest.mark.parametrize(
    "prompt", ["a snark", "an École of \U0001f40b №7!", "?", "a red circle" + " and more" * 40]
)
def test_words_that_it_does_not_know_make_a_picture_all_the_same(
    engine: ImageEngine, prompt: str
) -> None:
    """What it shows is left to it."""
    reply = answer(engine, GenerateImage(prompt, width=64, height=64, num_inference_steps=2))
    assert pixels(reply).shape == (64, 64, 3)


def test_another_size_is_its_own_one_enlarged(engine: ImageEngine) -> None:
    """A circle stays one, and the reply says what was done."""
    reply = answer(engine, GenerateImage("a red circle", width=512, height=256, seed=1))
    assert (reply.width, reply.height) == (512, 256)
    assert reply.warning == "The model makes 64x64 pixels, here scaled."
    middle = pixels(reply)[:, 128:384]
    small = np.asarray(Image.fromarray(middle).resize((64, 64)))
    background, seen = look(small)
    assert [(one.colour, one.shape) for one in seen] == [("red", "circle")]
    assert background == "grey"


@pytest.mark.anyio
@pytest.mark.usefixtures("plain_logs")
async def test_a_worker_serves_it_by_its_name() -> None:
    """The same spec as of any image model, and nothing is fetched."""
    async with System() as system:
        spec = image_worker(NAME, threads=1, device="cpu")
        model = await system.spawn(lambda: ModelActor(spec), "image")
        reply = await model.ask(CIRCLE, timeout=PATIENCE)
    image = Image.open(io.BytesIO(base64.b64decode(reply.image_base64)))
    assert (image.format, image.size, reply.warning) == ("PNG", (64, 64), None)
    assert [one.colour for one in look(np.asarray(image))[1]] == ["red"]


def test_it_needs_no_code_of_its_own() -> None:
    """All its parts are classes of diffusers and transformers, and there is no code in it."""
    index = json.loads((FOLDER / "model_index.json").read_text())
    assert index["_class_name"] == "StableDiffusionPipeline"
    libraries = {value[0] for value in index.values() if isinstance(value, list)}
    assert libraries <= {"diffusers", "transformers", None}
    assert not list(FOLDER.rglob("*.py"))


def test_it_is_small() -> None:
    """All of it, with its card and its chart."""
    assert sum(file.stat().st_size for file in files()) <= MOST_BYTES


def files() -> list[Path]:
    return [path for path in FOLDER.rglob("*") if path.is_file()]
