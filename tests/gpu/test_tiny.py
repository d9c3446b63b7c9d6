"""The models in the package: named anywhere a model is named, and held by the same engines."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import pytest

from failsoft.gpu import model_bytes
from failsoft.gpu.embedding.engine import EmbeddingEngine
from failsoft.gpu.loading.model_source import ModelSource
from failsoft.gpu.text.engine import TextEngine
from failsoft.gpu.tiny import EMBEDDED
from failsoft.messages import ChatMessage, Embed, GenerateText, ModelLoadingFailed

from .text_answers import answers

TEXT = "failsoft:tiny-text"
# What the repository can bear: of both models together at most 6 MB.
MOST_BYTES = {TEXT: 3_500_000}


@pytest.fixture(scope="module")
def engine(one_thread: None) -> TextEngine:
    """Give the text engine with the model, by its name alone."""
    engine = TextEngine(TEXT, device="cpu")
    engine.load(lambda done, total: None)
    return engine


def dot(one: Sequence[float], other: Sequence[float]) -> float:
    total: float = sum(map(operator.mul, one, other))
    return total


def test_a_name_is_a_folder_and_no_hub_id() -> None:
    """Nothing is looked up on the hub, nor in a folder of that name."""
    source = ModelSource(TEXT, None, "auto", "cpu")
    assert source.is_local
    assert source.name == TEXT
    assert source.located() == (str(EMBEDDED[TEXT]), None)


def test_a_name_that_nobody_has_is_refused_with_those_there_are() -> None:
    """It is no hub id that could be fetched."""
    with pytest.raises(ModelLoadingFailed, match="failsoft:tiny-text"):
        ModelSource("failsoft:huge-text", None, "auto", "cpu").located()
    assert model_bytes("failsoft:huge-text") is None


def test_its_size_is_known_before_it_is_loaded() -> None:
    """WK-07 From the files in the package: held in float32 twice what it is on disk."""
    stored = model_bytes(TEXT)
    assert stored is not None
    assert model_bytes(TEXT, dtype="float32") == 2 * stored


@pytest.mark.parametrize("name", MOST_BYTES)
def test_it_is_small(name: str) -> None:
    """A clone brings it along."""
    files = [path for path in EMBEDDED[name].rglob("*") if path.is_file()]
    assert files
    assert sum(path.stat().st_size for path in files) <= MOST_BYTES[name]


@pytest.mark.parametrize("name", MOST_BYTES)
def test_each_has_a_card_and_its_losses(name: str) -> None:
    """In the folder, beside the weights."""
    assert (EMBEDDED[name] / "README.md").read_text().startswith("---\n")
    assert (EMBEDDED[name] / "loss.svg").stat().st_size < 40_000


def test_a_chat_is_answered(engine: TextEngine) -> None:
    """Through the engine of every language model, greedily, to its end."""
    asked = [
        GenerateText((ChatMessage("user", "What do cows eat?"),), temperature=0),
        GenerateText((ChatMessage("user", "What is the capital of Peru?"),), temperature=0),
        GenerateText("Once upon a time,", temperature=0),
    ]
    known, beyond, story = [answer.reply for answer in answers(engine, *asked)]
    assert "grass" in known.text or "hay" in known.text
    assert "small stand-in" in beyond.text
    assert " called " in story.text
    assert {known.finish_reason, beyond.finish_reason, story.finish_reason} == {"stop"}


def test_it_gives_embeddings(one_thread: None) -> None:
    """Mean pooled: what is said about one thing is nearer to itself than to another."""
    engine = EmbeddingEngine(TEXT, device="cpu")
    engine.load(lambda done, total: None)
    steps = engine.generate(
        Embed(("Do cats eat fish?", "What do cats eat?", "Is it going to snow?"))
    )
    try:
        while True:
            next(steps)
    except StopIteration as end:
        first, like, other = end.value.vectors
    assert dot(first, like) > dot(first, other) + 0.1
