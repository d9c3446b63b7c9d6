"""The image engine in a real worker process, behind its model actor."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from failsoft.actors import ModelActor, Ref, System
from failsoft.gpu.image.worker import image_worker
from failsoft.messages import InferenceTimeout, InvalidInput
from failsoft.messages.events import GenerationCancelled, ModelLoading
from failsoft.messages.image import GenerateImage
from failsoft.testing import EventRecorder

from .launched import PATIENCE
from .tiny_models import save_pipeline

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("plain_logs")]

CAT = GenerateImage("a red cat", width=64, height=64, num_inference_steps=3, seed=1)
LONG = GenerateImage("a red cat", width=512, height=512, num_inference_steps=200, seed=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline") / "tiny"
    save_pipeline(folder)
    return folder


@pytest.fixture(scope="module")
async def system() -> AsyncIterator[System]:
    """Give a system whose template process the tests share."""
    async with System() as system:
        yield system


@pytest.fixture(scope="module")
async def events(system: System) -> EventRecorder:
    return EventRecorder(system)


@pytest.fixture(scope="module")
async def model(system: System, events: EventRecorder, folder: Path) -> Ref:
    spec = image_worker(folder, threads=1, device="cpu")
    return await system.spawn(lambda: ModelActor(spec, requests=(GenerateImage,)), "image")


async def test_a_real_pipeline_is_loaded_and_answers(model: Ref, events: EventRecorder) -> None:
    """Whole and streamed are the same image; the progress of each step comes first."""
    reply = await model.ask(CAT, timeout=PATIENCE)
    assert base64.b64decode(reply.image_base64).startswith(b"\x89PNG")
    async with model.stream(CAT, timeout=PATIENCE) as chunks:
        got = [chunk async for chunk in chunks]
    assert [chunk.step for chunk in got] == [1, 2, 3, 3]
    assert got[-1].image == reply
    loading = events.of(ModelLoading)
    assert loading[-1].done_bytes == loading[-1].total_bytes > 100_000


async def test_a_caller_that_leaves_stops_the_diffusion(model: Ref, events: EventRecorder) -> None:
    """WK-11 Between two steps; the next request is answered."""
    async with model.stream(LONG, timeout=PATIENCE) as chunks:
        first = await anext(chunks)
    assert (first.step, first.steps) == (1, 200)
    await events.wait_for(GenerationCancelled)
    assert (await model.ask(CAT, timeout=PATIENCE)).seed == 1


async def test_a_deadline_stops_the_diffusion(model: Ref) -> None:
    """WK-12 The next request is answered."""
    with pytest.raises(InferenceTimeout):
        await model.ask(LONG, timeout=0.5)
    assert (await model.ask(CAT, timeout=PATIENCE)).seed == 1


async def test_a_request_out_of_range_is_the_callers_fault(model: Ref) -> None:
    """RT-10 Each field is named; the model goes on."""
    bad = GenerateImage("", width=70, height=64, num_inference_steps=0)
    with pytest.raises(InvalidInput) as caught:
        await model.ask(bad, timeout=PATIENCE)
    assert set(caught.value.details["field_errors"]) == {"prompt", "width", "num_inference_steps"}
    assert (await model.ask(CAT, timeout=PATIENCE)).seed == 1
