"""Prompts from beyond the model's world, as varied as can be, and the one honest answer to them.

What is known is little, so anything else must be told apart by being unknown, not by being listed:
topics by the hundred, words made up from syllables, questions of the model's own world about things
that are not in it, code, other languages, sums and plain noise.
"""

from __future__ import annotations

import re
import string
from functools import cache
from pathlib import Path
from random import Random
from zlib import crc32

from training.text.exchange import exchanges
from training.text.grammar import Bound, Entry, Grammar
from training.text.world import grammar

_BEYOND = Path(__file__).parent / "beyond"
# The kinds of words in whose place an unknown one makes a question that has no answer.
_REPLACED = ("animal", "food", "place", "job", "weather", "colour", "thing", "season")
# Emoji, Chinese, Cyrillic and Greek, from where each begins.
_SCRIPTS = (0x1F600, 0x4E00, 0x430, 0x3B1)
_MOST_JOINED = (3, 6, 6, 25)
# One topic and one template in so many is for the evaluation alone.
HELD_OUT = 6


def is_held_out(text: str) -> bool:
    """Tell whether ``text`` is kept for the evaluation: by its own letters, the same every time."""
    return crc32(text.encode()) % HELD_OUT == 0


def answer(random: Random) -> str:
    """Give the sentence that says plainly who answers, with or without some advice."""
    said = random.choice(_lines("answers"))
    return f"{said} {random.choice(_lines('advice'))}" if random.random() < 0.6 else said


def is_answer(text: str) -> bool:
    """Tell whether ``text`` is one of them."""
    for said in _lines("answers"):
        if text == said or text in {f"{said} {advice}" for advice in _lines("advice")}:
            return True
    return False


def unseen() -> tuple[str, ...]:
    """Give the sentences, as people write them, of which training sees none."""
    return _lines("unseen")


def prompt(random: Random, *, held_out: bool = False) -> str:
    """Give a prompt; held_out: of the topics and templates that training never sees."""
    kinds = (
        (_of_template, 50),
        (_about_unknown, 20),
        (_of_code, 6),
        (_phrase, 8),
        (_foreign, 6),
        (_sum, 5),
        (_noise, 5),
        (_joined, 3),
    )
    (make,) = random.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])
    return make(random, held_out)


def _of_template(random: Random, held_out: bool) -> str:
    templates = _split("templates", held_out)
    return _grammar(held_out).write(random.choice(templates), random, _with_made_up(random))


def _with_made_up(random: Random) -> Bound:
    """Bind some of the slots to words that nobody has ever seen."""
    bound: Bound = {}
    for label in ("topic", "other"):
        if random.random() < 0.3:
            bound[label] = _word(_unknown(random))
    if random.random() < 0.4:
        bound["person"] = _word(f"{made_up(random).title()} {made_up(random).title()}")
    return bound


def _about_unknown(random: Random, held_out: bool) -> str:
    """Ask a question of the model's world about something that isn't in it."""
    while True:
        ask = random.choice(random.choice(exchanges()).asks)
        labels = [
            label
            for label, kind in grammar().labels(ask).items()
            if kind in _REPLACED and "=" not in ask
        ]
        if labels:
            topics = _split("topics", held_out)
            bound: Bound = {}
            # The first alone decides: a known one beside it makes the question no better known.
            unknown = random.choice(topics) if random.random() < 0.5 else _unknown(random)
            bound[labels[0]] = _Unknown(unknown)
            return grammar().write(ask, random, bound)


class _Unknown(dict[str, tuple[str, ...]]):
    """Have any form be the unknown word itself, or made from it."""

    def __init__(self, word: str) -> None:
        super().__init__(
            one=(word,), a=(f"a {word}",), the=(f"the {word}",), at=(f"in the {word}",), be=("is",)
        )
        self._word = word

    def __missing__(self, attribute: str) -> tuple[str, ...]:
        return (self._word if self._word.endswith("s") else f"{self._word}s",)


def _of_code(random: Random, held_out: bool) -> str:
    names = [_identifier(random) for _ in range(3)]
    line = random.choice(_split("code", held_out)).replace("\\n", "\n")
    line = re.sub(r"\{name\}", lambda _: random.choice(names), line)
    return re.sub(r"\{number\}", lambda _: str(random.randrange(10 ** random.randint(1, 4))), line)


def _identifier(random: Random) -> str:
    words = [made_up(random) for _ in range(random.choice((1, 1, 2)))]
    return random.choice(("_".join(words), "".join(map(str.title, words)), words[0]))


def _foreign(random: Random, held_out: bool) -> str:
    lines = _split("languages", held_out)
    if random.random() < 0.5:
        return random.choice(lines)
    words = " ".join(lines).split()
    return " ".join(random.choices(words, k=random.randint(1, 8)))


def _phrase(random: Random, held_out: bool) -> str:
    return random.choice(_split("phrases", held_out))


def _sum(random: Random, held_out: bool) -> str:
    if random.random() < 0.15:
        asked = random.choice(("What comes after", "Count to", "What comes before", "Is it"))
        return f"{asked} {random.randrange(21, 3000)}?"
    terms = [str(random.randrange(10 ** random.randint(1, 4))) for _ in range(random.randint(2, 4))]
    sign = random.choice(("+", "-", "*", "/", " + ", " - ", " * ", " x ", " / ", "^", " plus "))
    asked = random.choice(
        (
            "{}",
            "{} =",
            "{}=?",
            "What is {}?",
            "Calculate {}",
            "Solve {}",
            "{} is",
            "How much is {}?",
        )
    )
    return asked.format(sign.join(terms))


def _noise(random: Random, held_out: bool) -> str:
    kind = random.randrange(4)
    if kind == 0:
        return "".join(random.choices(string.ascii_letters, k=random.randint(2, 20)))
    if kind == 1:
        return "".join(random.choices(string.printable.strip() + " ", k=random.randint(2, 30)))
    if kind == 2:
        letters = (chr(random.choice(_SCRIPTS) + random.randrange(24)) for _ in range(6))
        return "".join(letters)[: random.randint(1, 6)]
    return " ".join(made_up(random) for _ in range(random.randint(1, 8)))


def _joined(random: Random, held_out: bool) -> str:
    """Give a long one: several one after the other, as a text that somebody pastes."""
    makers = (_of_template, _about_unknown, _of_code, _foreign, _phrase)
    parts = [
        random.choice(makers)(random, held_out)
        for _ in range(random.randint(2, random.choice(_MOST_JOINED)))
    ]
    return random.choice((" ", "\n", "\n\n")).join(parts)


def _unknown(random: Random) -> str:
    words = [made_up(random)]
    if random.random() < 0.25:
        words.append(made_up(random))
    made = " ".join(words)
    return made.title() if random.random() < 0.3 else made


def made_up(random: Random) -> str:
    """Give a word that nobody has ever seen."""
    return "".join(
        "".join(random.choice(part) for part in _syllable_parts())
        for _ in range(random.choice((1, 2, 2, 3)))
    )


@cache
def _syllable_parts() -> tuple[tuple[str, ...], ...]:
    """Give how syllables begin, go on and end; ``-`` is for nothing."""
    return tuple(tuple(line.replace("-", "").split(" ")) for line in _lines("syllables"))


def _word(text: str) -> Entry:
    return {"one": (text,)}


@cache
def _grammar(held_out: bool) -> Grammar:
    """Give the grammar of the world with topics and persons beside."""
    words = {
        kind: tuple(map(_word, _split(name, held_out)))
        for kind, name in (("topic", "topics"), ("person", "people"))
    }
    return Grammar({**grammar().lexicons, **words})


@cache
def _split(name: str, held_out: bool) -> tuple[str, ...]:
    return tuple(text for text in _lines(name) if is_held_out(text) == held_out)


@cache
def _lines(name: str) -> tuple[str, ...]:
    """Give a file's lines; where they hold lists with commas, what is in these."""
    text = (_BEYOND / f"{name}.txt").read_text(encoding="utf-8").strip()
    if name in ("topics", "people"):
        text = text.replace(", ", "\n")
    return tuple(text.split("\n"))
