"""What is asked of the model: the same texts of ours and of the peer."""

from __future__ import annotations

from random import Random

import msgspec

BATCH = 16
_ANIMALS = (
    *("dog", "cat", "bird", "horse", "fish", "bear", "wolf", "fox"),
    *("lion", "mouse", "rabbit", "sheep", "cow", "duck", "snake", "whale"),
)
_LONG = (
    "Once upon a time, in a small village at the foot of a high mountain, there lived a {} who "
    "wanted to see the sea. Every morning it looked at the road, and every evening it counted "
    "the days. At last"
)
_WORDS = "and so the old road went on over the green hills, past the river and the sleeping town"


class Text(msgspec.Struct, frozen=True):
    """Ask for ``max_tokens`` greedy tokens after ``prompt``, ``at`` seconds after the start."""

    prompt: str
    max_tokens: int
    at: float = 0.0


def one(tokens: int) -> Text:
    """Give one text of middling length."""
    return Text(_LONG.format("rabbit"), tokens)


def of_one_length(tokens: int) -> list[Text]:
    """Give prompts that differ by a word, so that a padded batch of them has hardly any padding."""
    return [Text(_LONG.format(animal), tokens) for animal in _ANIMALS]


def of_all_lengths(tokens: int) -> list[Text]:
    """Give prompts from a few words to many."""
    words = _WORDS.split()
    return [
        Text(f"The {animal} said:" + " ".join(["", *(words * 4)[: 4 * number]]), tokens)
        for number, animal in enumerate(_ANIMALS)
    ]


def arriving(seconds: float, least: int, most: int, seed: int = 1) -> list[Text]:
    """Give texts that come at random over ``seconds``, each for ``least`` to ``most`` tokens."""
    random = Random(seed)
    times = sorted(random.uniform(0.0, seconds) for _ in _ANIMALS)
    return [
        Text(_LONG.format(animal), random.randint(least, most), at - times[0])
        for animal, at in zip(_ANIMALS, times, strict=True)
    ]
