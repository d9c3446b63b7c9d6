"""What the language model in the package owes, measured by what it was never trained on.

A smaller sample than ``python -m training evaluate text``, and the same measures.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from training.text.answering import answers, load
from training.text.evaluate import MODEL, Figures, measure
from training.text.judging import refuses

from failsoft.gpu.text.engine import TextEngine
from failsoft.gpu.tiny import EMBEDDED

TURNS = 120


@pytest.fixture(scope="module")
def engine() -> Iterator[TextEngine]:
    """Give the engine with the packaged model; one thread, as on a busy machine more are slower."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield load(MODEL)
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def greedy(engine: TextEngine) -> Figures:
    return measure(engine, TURNS, 0.0)


@pytest.fixture(scope="module")
def sampled(engine: TextEngine) -> Figures:
    """Sampled as requests are that say nothing of it."""
    return measure(engine, TURNS, 1.0)


def test_its_perplexity_is_at_most_half_of_an_ngrams(greedy: Figures) -> None:
    """A word, on what neither has seen; the n-gram's is from the evaluation."""
    figures = json.loads((EMBEDDED[MODEL] / "evaluation.json").read_text())
    assert greedy.perplexity <= figures["ngram_perplexity"] / 2
    assert greedy.perplexity == pytest.approx(figures["greedy"]["perplexity"], rel=0.15)


def test_it_speaks_well(greedy: Figures, sampled: Figures) -> None:
    """Most of its answers are sentences of the grammar, word for word."""
    assert greedy.of_the_grammar >= 0.84
    assert sampled.of_the_grammar >= 0.8


def test_it_keeps_to_the_subject(greedy: Figures, sampled: Figures) -> None:
    """What was asked about is named in the answer."""
    assert greedy.keep_subject >= 0.83
    assert sampled.keep_subject >= 0.8


def test_it_says_what_is_true_in_its_world(greedy: Figures, sampled: Figures) -> None:
    """An answer to this very question, with what its words have."""
    assert greedy.right >= 0.74
    assert sampled.right >= 0.68


def test_it_says_that_it_is_the_stand_in(greedy: Figures, sampled: Figures) -> None:
    """Asked what is beyond it: of topics it never met, and in sentences as people write them."""
    assert greedy.refused_beyond >= 0.94
    assert sampled.refused_beyond >= 0.92
    assert greedy.refused_unseen >= 0.92


def test_it_does_not_refuse_what_it_knows(greedy: Figures, sampled: Figures) -> None:
    """Hardly ever."""
    assert greedy.refused_wrongly <= 0.03
    assert sampled.refused_wrongly <= 0.05


def test_it_goes_on_with_a_plain_text(engine: TextEngine) -> None:
    """Without a chat, too: with a story, and with the truth where there is none."""
    story, beyond = answers(engine, ["Once upon a time,", "The capital of France is"], plain=True)
    assert " called " in story
    assert story.endswith(".")
    assert refuses(beyond.strip())


def test_a_long_text_is_beyond_it(engine: TextEngine) -> None:
    """As long as its context allows."""
    (said,) = answers(engine, ["The committee will vote on the new proposal next week. " * 30])
    assert refuses(said)


@given(st.text())
def test_any_text_has_tokens(engine: TextEngine, text: str) -> None:
    """And is the same again."""
    tokens = engine._tokenizer(text, add_special_tokens=False, split_special_tokens=True)
    assert engine._tokenizer.decode(tokens["input_ids"]) == text
