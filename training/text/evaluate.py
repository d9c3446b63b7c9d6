"""Measure the language model by what it was never trained on: ``python -m training evaluate text``.

The questions are held out, word for word; in stories the hero and the place never met before. What
is beyond the model's world is asked with topics and templates of their own, and in the sentences of
``beyond/unseen.txt``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from random import Random
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from failsoft.gpu.text.engine import TextEngine
from failsoft.gpu.tiny import EMBEDDED
from training.text import beyond, judging
from training.text.answering import answers, load
from training.text.corpus import Text, Turn, held_out, texts
from training.text.ngram import NGram
from training.text.tokens import Encoded, encode

MODEL = "failsoft:tiny-text"
SEED = 7
# What it learns from more of them is little: its contexts are short.
_NGRAM_TEXTS = 50_000
_TURNS = 200


@dataclass(frozen=True)
class Figures:
    """Hold what is measured: the perplexity a word, and shares of answers."""

    perplexity: float
    of_the_grammar: float
    right: float
    keep_subject: float
    refused_wrongly: float
    refused_beyond: float
    refused_unseen: float


def main() -> None:
    """Print the figures, greedy and sampled, and write them beside the model."""
    # More threads are slower for a model this small.
    torch.set_num_threads(1)
    engine = load(MODEL)
    tokenizer = engine._tokenizer
    figures: dict[str, Any] = {"ngram_perplexity": ngram_perplexity(tokenizer)}
    for name, temperature in (("greedy", 0.0), ("sampled", 0.8), ("sampled_as_is", 1.0)):
        figures[name] = asdict(measure(engine, _TURNS, temperature))
    print(json.dumps(figures, indent=2))
    (EMBEDDED[MODEL] / "evaluation.json").write_text(json.dumps(figures, indent=2) + "\n")


def measure(engine: TextEngine, number: int, temperature: float) -> Figures:
    """Measure by so many turns, and as many prompts from beyond."""
    turns = unseen_turns(number)
    said = answers(engine, [turn.ask for turn in turns], temperature=temperature)
    both = list(zip(turns, said, strict=True))
    random = Random(SEED)
    far = [beyond.prompt(random, held_out=True) for _ in range(number)]
    real = list(beyond.unseen())
    return Figures(
        perplexity=perplexity(engine, turns),
        of_the_grammar=share([judging.is_of_the_grammar(text) for text in said]),
        right=share([judging.is_right(turn, text) for turn, text in both]),
        keep_subject=share([judging.keeps_subject(turn, text) for turn, text in both]),
        refused_wrongly=share([judging.refuses(text) for text in said]),
        refused_beyond=share(map(judging.refuses, answers(engine, far, temperature=temperature))),
        refused_unseen=share(map(judging.refuses, answers(engine, real, temperature=temperature))),
    )


def unseen_turns(number: int) -> list[Turn]:
    return list(islice(held_out(Random(SEED)), number))


def perplexity(engine: TextEngine, turns: Sequence[Turn]) -> float:
    """Give the model's perplexity a word of the answers; their ends count as words.

    Of words, as is usual: what is told of tokens depends on how long a tokenizer makes them.
    """
    total = 0.0
    for encoded in _encoded(engine._tokenizer, turns):
        tokens = torch.tensor([encoded.tokens])
        learned = torch.tensor(encoded.learned[1:])
        with torch.inference_mode():
            logits = engine._model(input_ids=tokens).logits[0, :-1]
        total += cross_entropy(logits[learned], tokens[0, 1:][learned], reduction="sum").item()
    return math.exp(total / _words(turns))


def ngram_perplexity(tokenizer: Any) -> float:
    """Give the same of the n-gram."""
    ngram = NGram(encode(tokenizer, text) for text in islice(texts(Random(SEED)), _NGRAM_TEXTS))
    turns = unseen_turns(_TURNS)
    return math.exp(ngram.surprise(_encoded(tokenizer, turns)) / _words(turns))


def _words(turns: Sequence[Turn]) -> int:
    return sum(len(turn.answer.split()) + 1 for turn in turns)


def _encoded(tokenizer: Any, turns: Sequence[Turn]) -> list[Encoded]:
    return [encode(tokenizer, Text([turn])) for turn in turns]


def share(found: Iterable[bool]) -> float:
    told = list(found)
    return round(sum(told) / len(told), 4)
