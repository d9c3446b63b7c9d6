"""What is asked: in each round other prompts, the same of each server."""

from __future__ import annotations

from random import Random

import msgspec

from bench.engines import texts
from bench.engines.texts import Text


def alone(number: int, tokens: int) -> list[Text]:
    """Give one text."""
    return [_of_round(number, texts.one(tokens))]


def at_once(number: int, tokens: int) -> list[Text]:
    """Give 16 texts of one length, all at the start."""
    return [_of_round(number, text) for text in texts.of_one_length(tokens)]


def arriving(
    number: int, rate: float, seconds: float, tokens: tuple[int, int], seed: int = 1
) -> list[Text]:
    """Give texts that come at random, ``rate`` a second; the first at once.

    tokens: the least and the most that one asks for.
    """
    random = Random(seed * 1000 + number)
    coming: list[Text] = []
    at = 0.0
    while at < seconds:
        text = msgspec.structs.replace(texts.one(random.randint(*tokens)), at=at)
        coming.append(_of_round(number, text, len(coming)))
        at += random.expovariate(rate)
    return coming


def _of_round(number: int, text: Text, place: int = 0) -> Text:
    # At the beginning: so what one round asks helps no cache of prompts in the next one.
    return msgspec.structs.replace(text, prompt=f"{number}, {place}. {text.prompt}")
