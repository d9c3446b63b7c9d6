"""Warming up: a real step for nobody, of which nothing is left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from failsoft.gpu.embedding.engine import EmbeddingEngine
from failsoft.gpu.image.engine import ImageEngine
from failsoft.messages import GenerateText

from .text_answers import answers, tiny_engine
from .tiny_models import save_bert, save_pipeline

pytestmark = pytest.mark.usefixtures("one_thread")


def counted(model: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Give a list that grows with each pass through ``model``."""
    passes: list[int] = []
    forward = model.forward

    def count(*args: Any, **options: Any) -> Any:
        passes.append(1)
        return forward(*args, **options)

    monkeypatch.setattr(model, "forward", count)
    return passes


def broken(*_: Any, **__: Any) -> Any:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


def test_the_text_engine_reads_a_prompt_and_makes_a_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its batch is empty after it, and torch's own chance is where it was."""
    engine = tiny_engine(tmp_path)
    passes = counted(engine._model, monkeypatch)
    chance, before = torch.random.get_rng_state(), repr(engine)
    seeded = GenerateText("Hello", max_tokens=5, seed=1)
    (first,) = answers(engine, seeded)
    passes.clear()
    engine.warm_up()
    assert len(passes) == 2
    assert torch.equal(torch.random.get_rng_state(), chance)
    assert repr(engine) == before
    assert answers(engine, seeded) == [first]
    monkeypatch.setattr(engine._model, "forward", broken)
    with pytest.raises(torch.OutOfMemoryError):
        engine.warm_up()


def test_the_embedding_engine_embeds_a_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one pass; what goes wrong is raised, for the load has failed then."""
    save_bert(tmp_path)
    engine = EmbeddingEngine(str(tmp_path), device="cpu")
    engine.load(lambda done, total: None)
    passes = counted(engine._model, monkeypatch)
    engine.warm_up()
    assert len(passes) == 1
    monkeypatch.setattr(engine._model, "forward", broken)
    with pytest.raises(torch.OutOfMemoryError):
        engine.warm_up()


def test_the_image_engine_makes_one_step_of_a_small_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where memory runs out, it isn't tried again with less."""
    save_pipeline(tmp_path)
    engine = ImageEngine(str(tmp_path), device="cpu")
    engine.load(lambda done, total: None)
    chance = torch.random.get_rng_state()
    passes = counted(engine._pipeline.unet, monkeypatch)
    engine.warm_up()
    assert len(passes) == 1
    assert torch.equal(torch.random.get_rng_state(), chance)
    tries: list[int] = []

    def fails(*_: Any, **__: Any) -> Any:
        tries.append(1)
        return broken()

    monkeypatch.setattr(engine._pipeline.unet, "forward", fails)
    with pytest.raises(torch.OutOfMemoryError):
        engine.warm_up()
    assert len(tries) == 1
