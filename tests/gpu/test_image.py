"""The image engine, with a real pipeline of diffusers, tiny and made up at random."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from failsoft.gpu.image.engine import ImageEngine
from failsoft.gpu.memory.device_memory import device_memory
from failsoft.messages.errors import InvalidInput, ModelLoadingFailed
from failsoft.messages.image import GenerateImage, ImageProgress, ImageReply

from .tiny_models import save_pipeline

CAT = GenerateImage("a red cat", width=64, height=72, num_inference_steps=4, seed=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline") / "tiny"
    save_pipeline(folder)
    return folder


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[ImageEngine]:
    engine = ImageEngine(str(folder), device="cpu")
    engine.load(lambda done, total: None)
    yield engine
    engine.unload()


def answer(engine: ImageEngine, request: GenerateImage) -> tuple[list[ImageProgress], ImageReply]:
    """Give every step of the answer, and the reply."""
    steps = engine.generate(request)
    seen = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as end:
            return seen, end.value


def opened(reply: ImageReply) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(reply.image_base64)))


class Passes:
    """Count the passes of the denoiser, and have some of them fail."""

    def __init__(self, engine: ImageEngine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: list[tuple[int, ...]] = []
        self.failures: dict[int, Exception] = {}
        unet = engine._pipeline.unet
        self._forward = unet.forward
        monkeypatch.setattr(unet, "forward", self)

    def __call__(self, sample: torch.Tensor, *args: Any, **options: Any) -> Any:
        self.sizes.append(tuple(sample.shape[-2:]))
        if (error := self.failures.get(len(self.sizes))) is not None:
            raise error
        return self._forward(sample, *args, **options)


@pytest.fixture
def passes(engine: ImageEngine, monkeypatch: pytest.MonkeyPatch) -> Passes:
    return Passes(engine, monkeypatch)


def test_each_diffusion_step_is_told_and_the_last_chunk_has_the_image(engine: ImageEngine) -> None:
    """The image is a PNG of the size that was asked for."""
    seen, reply = answer(engine, CAT)
    assert [(progress.step, progress.steps) for progress in seen] == [
        (1, 4),
        (2, 4),
        (3, 4),
        (4, 4),
        (4, 4),
    ]
    assert [progress.image for progress in seen] == [None] * 4 + [reply]
    image = opened(reply)
    assert (image.format, image.size) == ("PNG", (64, 72))
    assert (reply.width, reply.height, reply.steps, reply.seed) == (64, 72, 4, 1)
    assert reply.warning is None


def test_the_image_is_what_the_pipeline_makes_by_itself(engine: ImageEngine) -> None:
    """Prompts, size, steps, guidance and seed all reach it."""
    request = GenerateImage(
        "a cat",
        negative_prompt="dog",
        width=64,
        height=72,
        num_inference_steps=3,
        guidance_scale=3.5,
        seed=5,
    )
    expected = engine._pipeline(
        prompt="a cat",
        negative_prompt="dog",
        width=64,
        height=72,
        num_inference_steps=3,
        guidance_scale=3.5,
        generator=torch.Generator().manual_seed(5),
    ).images[0]
    assert opened(answer(engine, request)[1]).tobytes() == expected.tobytes()


def test_a_seed_makes_an_image_repeatable(engine: ImageEngine) -> None:
    """Where none is given, the reply tells the one that was drawn."""
    free = GenerateImage("a red cat", width=64, height=64, num_inference_steps=2)
    (_, first), (_, second) = answer(engine, free), answer(engine, free)
    assert first.seed != second.seed
    assert first.image_base64 != second.image_base64
    again = GenerateImage("a red cat", width=64, height=64, num_inference_steps=2, seed=first.seed)
    assert answer(engine, again)[1].image_base64 == first.image_base64


def test_closing_stops_between_two_steps(engine: ImageEngine, passes: Passes) -> None:
    """WK-11 No pass of the model follows, and no thread is left."""
    threads = threading.active_count()
    steps = engine.generate(CAT)
    next(steps)
    next(steps)
    steps.close()
    assert len(passes.sizes) == 2
    assert threading.active_count() == threads
    assert opened(answer(engine, CAT)[1]).size == (64, 72)


def test_out_of_memory_once_is_answered_with_less_and_a_warning(
    engine: ImageEngine, passes: Passes
) -> None:
    """WK-08 At most 512x512 in the same shape, half the steps, the same seed."""
    request = GenerateImage("a cat", width=1024, height=512, num_inference_steps=24, seed=3)
    passes.failures = {1: torch.OutOfMemoryError("CUDA out of memory.")}
    seen, reply = answer(engine, request)
    assert (reply.width, reply.height, reply.steps, reply.seed) == (512, 256, 12, 3)
    assert opened(reply).size == (512, 256)
    assert reply.warning is not None
    assert "512x256 pixels in 12 steps" in reply.warning
    assert seen[-1].warning == reply.warning
    assert passes.sizes == [(64, 128)] + [(32, 64)] * 12
    assert [progress.step for progress in seen] == [*range(1, 13), 12]


def test_out_of_memory_is_known_where_it_is_thrown_in_between_steps(
    engine: ImageEngine, passes: Passes
) -> None:
    """WK-08 A fault on command takes the way of a real one."""
    steps = engine.generate(CAT)
    next(steps)
    assert steps.throw(torch.OutOfMemoryError("injected")).step == 1
    rest = [progress.step for progress in steps]
    assert rest == [2, 3, 4, 4]
    assert len(passes.sizes) == 5


def test_out_of_memory_twice_is_an_error(engine: ImageEngine, passes: Passes) -> None:
    """WK-08 There is no third try."""
    passes.failures = {
        2: torch.OutOfMemoryError("CUDA out of memory."),
        3: torch.OutOfMemoryError("CUDA out of memory."),
    }
    with pytest.raises(torch.OutOfMemoryError):
        answer(engine, CAT)
    assert len(passes.sizes) == 3


def test_another_fault_is_not_tried_again(engine: ImageEngine, passes: Passes) -> None:
    """Only memory is a reason to ask for less."""
    passes.failures = {2: RuntimeError("mat1 and mat2 shapes cannot be multiplied")}
    with pytest.raises(RuntimeError, match="mat1"):
        answer(engine, CAT)
    assert len(passes.sizes) == 2


def test_a_model_of_one_size_makes_that_and_it_is_enlarged(folder: Path) -> None:
    """The denoiser sees its own size alone, whatever is asked."""
    engine = ImageEngine(str(folder), device="cpu", own_size=True)
    engine.load(lambda done, total: None)
    own = engine._pipeline.unet.config.sample_size * engine._pipeline.vae_scale_factor
    reply = answer(engine, CAT)[1]
    assert opened(reply).size == (reply.width, reply.height) == (64, 72)
    assert reply.warning == f"The model makes {own}x{own} pixels, here scaled."


def test_a_model_that_tells_no_size_of_its_own_can_not_be_held_to_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What to do is said before any image is made."""
    monkeypatch.setattr("failsoft.gpu.image.engine.own_side", lambda pipeline: None)
    engine = ImageEngine(str(folder), device="cpu", own_size=True)
    with pytest.raises(ModelLoadingFailed, match="leave own_size out"):
        engine.load(lambda done, total: None)


def test_a_prompt_that_the_model_reads_in_part_is_warned_of(engine: ImageEngine) -> None:
    """The text encoder's own bound is told."""
    request = GenerateImage("cat " * 50, width=64, height=64, num_inference_steps=1)
    warning = answer(engine, request)[1].warning
    assert warning is not None
    assert "reads the first 77" in warning


@pytest.mark.parametrize(
    ("multiple", "fields"), [(16, {"height"}), (128, {"width", "height"}), (8, set())]
)
def test_a_size_that_the_model_cannot_make_is_invalid_input(
    engine: ImageEngine,
    passes: Passes,
    monkeypatch: pytest.MonkeyPatch,
    multiple: int,
    fields: set[str],
) -> None:
    """The error names each side; the model isn't touched."""
    monkeypatch.setattr(engine, "_multiple", multiple)
    if not fields:
        assert answer(engine, CAT)[1].width == 64
        return
    with pytest.raises(InvalidInput) as caught:
        next(engine.generate(CAT))
    assert set(caught.value.details["field_errors"]) == fields
    assert passes.sizes == []


def test_a_model_without_negative_prompts_refuses_one(
    engine: ImageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It isn't passed over in silence."""
    monkeypatch.setattr(engine, "_takes", engine._takes - {"negative_prompt"})
    request = GenerateImage("cat", negative_prompt="dog", width=64, height=64)
    with pytest.raises(InvalidInput, match="leave it out"):
        next(engine.generate(request))


@pytest.mark.cuda
def test_on_a_gpu_the_memory_is_told_and_let_go(folder: Path) -> None:
    """The same engine in bfloat16."""
    engine = ImageEngine(str(folder), device="cuda")
    assert engine.load(lambda done, total: None)["dtype"] == "bfloat16"
    memory = device_memory()
    assert 0 < memory.held <= memory.used <= memory.total
    assert opened(answer(engine, CAT)[1]).size == (64, 72)
    engine.unload()
