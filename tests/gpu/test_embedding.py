"""The embedding engine, with a real encoder of transformers, tiny and made up at random."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from failsoft.gpu.embedding.engine import EmbeddingEngine
from failsoft.messages.embedding import Embed, EmbeddingReply
from failsoft.messages.errors import ContextLengthExceeded, InvalidInput, ModelLoadingFailed

from .tiny_models import save_bert

TEXTS = ("a cat", "an elephant in the room", "dog", "a cat", "to be or not to be", "x")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder") / "tiny"
    save_bert(folder)
    return folder


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[EmbeddingEngine]:
    engine = loaded(folder)
    yield engine
    engine.unload()


def loaded(folder: Path, **options: Any) -> EmbeddingEngine:
    engine = EmbeddingEngine(str(folder), device="cpu", **options)
    engine.load(lambda done, total: None)
    return engine


def answer(engine: EmbeddingEngine, *texts: str) -> tuple[int, EmbeddingReply]:
    """Give the number of steps, and the reply."""
    steps, made = engine.generate(Embed(texts)), 0
    while True:
        try:
            next(steps)
            made += 1
        except StopIteration as end:
            return made, end.value


class Passes:
    """Count the passes of the model, and have some of them run out of memory."""

    def __init__(self, engine: EmbeddingEngine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: list[int] = []
        self.failing: set[int] = set()
        self._forward = engine._model.forward
        monkeypatch.setattr(engine._model, "forward", self)

    def __call__(self, **inputs: Any) -> Any:
        self.sizes.append(len(inputs["input_ids"]))
        if len(self.sizes) in self.failing:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return self._forward(**inputs)


@pytest.fixture
def passes(engine: EmbeddingEngine, monkeypatch: pytest.MonkeyPatch) -> Passes:
    return Passes(engine, monkeypatch)


def plainly(folder: Path, text: str) -> list[float]:
    """Compute a vector as the model's card says: one text, no batch."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModel.from_pretrained(folder)
    with torch.no_grad():
        hidden = model(**tokenizer(text, return_tensors="pt")).last_hidden_state
    mean = hidden[0].mean(dim=0)
    vector: list[float] = (mean / mean.norm()).tolist()
    return vector


@pytest.mark.parametrize("batch_tokens", [1, 30, None])
def test_vectors_are_those_of_transformers_in_the_order_of_the_texts(
    folder: Path, batch_tokens: int | None
) -> None:
    """Whatever the batches are: the padding counts nothing."""
    _, reply = answer(loaded(folder, batch_tokens=batch_tokens), *TEXTS)
    assert len(reply.vectors) == len(TEXTS)
    for text, vector in zip(TEXTS, reply.vectors, strict=True):
        assert vector == pytest.approx(plainly(folder, text), abs=1e-5)
    assert reply.vectors[0] != pytest.approx(reply.vectors[1], abs=1e-3)


def test_vectors_have_length_one_and_tokens_are_counted(engine: EmbeddingEngine) -> None:
    """Two marks a text, and a token a letter."""
    _, reply = answer(engine, "abc", "de")
    assert reply.dimensions == 32
    for vector in reply.vectors:
        assert len(vector) == 32
        assert math.sqrt(sum(n * n for n in vector)) == pytest.approx(1)
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (9, 0)


def test_texts_share_passes_by_their_lengths(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One batch a step; closing the generator stops between two."""
    engine = loaded(folder, batch_tokens=20)
    passes = Passes(engine, monkeypatch)
    assert answer(engine, "abc", "abcdefgh", "abd", "abcdefgi")[0] == 2
    assert passes.sizes == [2, 2]
    steps = engine.generate(Embed(("abc", "abcdefgh", "abcdefgi")))
    next(steps)
    steps.close()
    assert len(passes.sizes) == 3


def test_too_long_a_text_never_reaches_the_model(engine: EmbeddingEngine, passes: Passes) -> None:
    """WK-15 Both lengths are told, and which text it is."""
    with pytest.raises(ContextLengthExceeded) as caught:
        next(engine.generate(Embed(("short", "x" * 63))))
    details = caught.value.details
    assert (details["input_length"], details["max_length"]) == (65, 64)
    assert details["field"] == "texts[1]"
    assert passes.sizes == []
    assert answer(engine, "x" * 62)[1].usage.prompt_tokens == 64


def test_out_of_memory_halves_the_batch(
    engine: EmbeddingEngine, passes: Passes, folder: Path
) -> None:
    """WK-08 All are answered, in order."""
    passes.failing = {1}
    _, reply = answer(engine, *TEXTS)
    assert passes.sizes == [6, 3, 3]
    for text, vector in zip(TEXTS, reply.vectors, strict=True):
        assert vector == pytest.approx(plainly(folder, text), abs=1e-5)


@pytest.mark.parametrize(("texts", "failing", "sizes"), [(4, {1, 3}, [4, 2, 2]), (1, {1}, [1])])
def test_out_of_memory_for_less_is_an_error(
    engine: EmbeddingEngine, passes: Passes, texts: int, failing: set[int], sizes: list[int]
) -> None:
    """WK-08 A half that fails, too, and a text that can't be halved."""
    passes.failing = failing
    with pytest.raises(torch.OutOfMemoryError):
        answer(engine, *TEXTS[:texts])
    assert passes.sizes == sizes


def test_more_vectors_than_a_reply_carries_are_refused(
    engine: EmbeddingEngine, passes: Passes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the caller's fault, before the work."""
    monkeypatch.setattr(engine, "_dimensions", 1_000_000)
    with pytest.raises(InvalidInput, match="at most 1 texts"):
        next(engine.generate(Embed(("a", "b"))))
    assert passes.sizes == []


def test_texts_are_checked(engine: EmbeddingEngine) -> None:
    """Each is named by its place."""
    with pytest.raises(InvalidInput) as caught:
        next(engine.generate(Embed(("fine", " \0"))))
    assert set(caught.value.details["field_errors"]) == {"texts[1]"}


def failure(folder: Path, **options: Any) -> str:
    with pytest.raises(ModelLoadingFailed) as caught:
        loaded(folder, **options)
    return caught.value.message


def test_a_load_tells_what_was_loaded(folder: Path) -> None:
    """Progress in bytes up to the whole."""
    told: list[tuple[int, int]] = []
    info = EmbeddingEngine(str(folder), device="cpu", context_length=50).load(
        lambda done, total: told.append((done, total))
    )
    total = (folder / "model.safetensors").stat().st_size
    assert (told[0], told[-1]) == ((0, total), (total, total))
    assert (info["dimensions"], info["context_length"], info["device"]) == (32, 50, "cpu")


def test_options_out_of_range_are_named(folder: Path) -> None:
    """With what they are."""
    assert "batch_tokens" in failure(folder, batch_tokens=0)
    assert "context_length" in failure(folder, context_length=-1)


def test_missing_weights_are_refused_but_for_the_pooler(tmp_path: Path) -> None:
    """WK-07 They would be made up at random."""
    from safetensors.torch import load_file, save_file

    save_bert(tmp_path)
    weights = tmp_path / "model.safetensors"
    tensors = {k: v for k, v in load_file(weights).items() if not k.startswith("pooler.")}
    save_file(tensors, weights, metadata={"format": "pt"})
    assert loaded(tmp_path)
    del tensors["embeddings.word_embeddings.weight"]
    save_file(tensors, weights, metadata={"format": "pt"})
    assert "1 tensors are missing" in failure(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("1_Pooling/config.json", {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": 0}),
        ("modules.json", [{"type": "sentence_transformers.models.Dense"}]),
    ],
)
def test_a_model_with_another_recipe_is_refused(tmp_path: Path, name: str, content: Any) -> None:
    """Its vectors would be wrong, and nobody would see it."""
    save_bert(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(json.dumps(content))
    assert "could not be loaded" in failure(tmp_path)


def test_roberta_reads_two_tokens_less_than_it_has_positions(tmp_path: Path) -> None:
    """The longest text that is let in fits."""
    from transformers import RobertaConfig, RobertaModel

    save_bert(tmp_path, longest=10_000_000)
    config = RobertaConfig(
        vocab_size=60,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=34,
        pad_token_id=1,
    )
    RobertaModel(config).save_pretrained(tmp_path)
    engine = loaded(tmp_path)
    with pytest.raises(ContextLengthExceeded) as caught:
        answer(engine, "x" * 31)
    assert caught.value.details["max_length"] == 32
    assert answer(engine, "x" * 30)[1].dimensions == 16
