"""The image engine in a real worker process, behind its model actor."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from failsoft.actors import ModelActor, Ref, System
from failsoft.gpu.image.worker import image_worker
from failsoft.messages import InferenceTimeout, InvalidInput
from failsoft.messages.events import GenerationCancelled, ModelLoading, WorkerReady
from failsoft.messages.image import GenerateImage
from failsoft.testing import EventRecorder

from .launched import PATIENCE
from .tiny_models import save_pipeline

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("plain_logs")]

CAT = GenerateImage("a red cat", width=64, height=64, num_inference_steps=3, seed=1)
MEMORY = re.compile(r"^(Rss|Private_Clean|Private_Dirty):\s+(\d+) kB$", re.MULTILINE)
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
    return await system.spawn(lambda: ModelActor(spec), "image")


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


async def test_the_small_model_takes_little_memory_beside_torch(
    system: System, events: EventRecorder
) -> None:
    """Less than 200 MB more than torch alone, and most of it the template's: it imports nothing."""
    spec = image_worker("failsoft:tiny-image", threads=1, device="cpu")
    ref = await system.spawn(lambda: ModelActor(spec), "small")
    await ref.ask(CAT, timeout=PATIENCE)
    ready = [event for event in events.of(WorkerReady) if event.path == ref.path]
    resident, private = memory_of(ready[-1].pid)
    assert resident - torch_alone() < 200_000_000
    assert private < 100_000_000


def memory_of(pid: int) -> tuple[int, int]:
    """Give the resident memory of a process, and what it shares with nobody. Bytes."""
    found = MEMORY.findall(Path(f"/proc/{pid}/smaps_rollup").read_text())
    sizes = {name: int(size) * 1024 for name, size in found}
    return sizes["Rss"], sizes["Private_Clean"] + sizes["Private_Dirty"]


def torch_alone() -> int:
    """Give the resident memory of a process that has imported torch and done nothing. Bytes."""
    code = "import torch; print(open('/proc/self/statm').read().split()[1])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(told.stdout) * os.sysconf("SC_PAGE_SIZE")
