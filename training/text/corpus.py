"""The texts that the model is trained on: chats and plain texts, made on the fly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from random import Random
from zlib import crc32

from training.text import beyond
from training.text.exchange import Exchange, exchanges
from training.text.grammar import Bound, Entry
from training.text.world import grammar

# How often a family is asked about, against the others; the rest is as often as it has exchanges.
_WEIGHTS = {"animals": 22, "food": 12, "places": 9, "self": 14, "stories": 13, "talk": 18}
_OTHERS = 11
_NEW_NAMES = 0.5
# One question in so many is never trained on; nor are the same words in a story.
_HELD_OUT = 16
_BEYOND_SHARE = 0.36
_PLAIN_SHARE = 0.3
# What of an entry is the word itself, and what of it may stand in an answer as its subject.
_NAMES = ("one", "many", "when")
_NAMING = {*_NAMES, "a", "the", "at", "digits"}
# Families whose answers are plain texts of their own, too.
_ALONE = ("animals", "food", "places", "stories", "weather")
_SYSTEM = (
    "You are a helpful assistant.",
    "You are a friendly assistant. Answer briefly.",
    "Answer in one sentence.",
    "You are a helpful, honest and harmless assistant.",
    "Be concise.",
    "You are an expert. Think step by step.",
    "You answer questions of our customers.",
)
_SHORTER = {"What is": "What's", "I am": "I'm", "Where is": "Where's", "Who is": "Who's"}
_POLITE = ("Please ", "Hey, ", "Hi! ", "Can you tell me: ", "Question: ", "Hello. ", "Um, ", "Now ")


@dataclass
class Turn:
    """Hold what is asked and what is answered.

    exchange: where it is from; None for what is beyond the model's world.
    template: of the question, as it was before anybody wrote it their own way.
    subjects: the forms of each word that the question names, one of which the answer is to have.
    """

    ask: str
    answer: str
    exchange: Exchange | None = None
    template: str = ""
    subjects: tuple[tuple[str, ...], ...] = ()


@dataclass
class Text:
    """Hold a chat, or a plain text: one turn without any marks.

    between: stands between question and answer of a plain text.
    """

    turns: list[Turn]
    system: str | None = None
    is_plain: bool = False
    between: str = ""


def texts(random: Random) -> Iterator[Text]:
    """Give texts without end, none of them held out."""
    while True:
        if random.random() < _PLAIN_SHARE:
            yield _plain(random)
        else:
            yield _chat(random)


def held_out(random: Random) -> Iterator[Turn]:
    """Give turns without end whose questions were never trained on."""
    while True:
        turn, _, is_held_out = _turn(random)
        if is_held_out:
            yield turn


def _chat(random: Random) -> Text:
    turns: list[Turn] = []
    for _ in range(random.choices((1, 2, 3), (78, 16, 6))[0]):
        if random.random() < _BEYOND_SHARE:
            turns.append(_beyond(random))
        else:
            turns += _known(random, with_more=random.random() < 0.2)
    for turn in turns:
        turn.ask = _as_people_write(turn.ask, random)
    return Text(turns, random.choice(_SYSTEM) if random.random() < 0.15 else None)


def _plain(random: Random) -> Text:
    """Give a text without a chat: what is asked and its answer, or an answer alone."""
    if random.random() < _BEYOND_SHARE:
        turn = _beyond(random)
        if random.random() < 0.4:
            turn.answer = f"... {turn.answer}"
    else:
        (turn,) = _known(random, with_more=False)
        assert turn.exchange is not None
        if turn.exchange.family in _ALONE and random.random() < 0.6:
            return Text([Turn("", turn.answer, turn.exchange)], is_plain=True)
        turn.ask = _as_people_write(turn.ask, random)
    return Text([turn], is_plain=True, between=random.choice((" ", "\n", "\n\n")))


def _known(random: Random, *, with_more: bool) -> list[Turn]:
    turn, words, is_held_out = _turn(random)
    while is_held_out:
        turn, words, is_held_out = _turn(random)
    assert turn.exchange is not None
    if not (with_more and turn.exchange.more):
        return [turn]
    ask, answer = random.choice(turn.exchange.more)
    asked = grammar().write(ask, random, words, [answer])
    return [turn, Turn(asked, grammar().write(answer, random, words), turn.exchange)]


def _turn(random: Random) -> tuple[Turn, Bound, bool]:
    """Give a turn, the words of its question, and whether it is for the evaluation alone."""
    exchange = _exchange(random)
    ask, answer = random.choice(exchange.asks), random.choice(exchange.answers)
    is_new = "name" in grammar().labels(ask) and random.random() < _NEW_NAMES
    words: Bound = {"name": _new_name(random)} if is_new else {}
    written = grammar().write(ask, random, words, [answer])
    asked = dict(words)
    answered = grammar().write(answer, random, words)
    named = [label for label, names in grammar().attributes(ask).items() if names & _NAMING]
    subjects = tuple(
        tuple(form for name in _NAMES for form in asked[label].get(name, ())) for label in named
    )
    # Of a story the hero and the place, who never met, whatever way it is asked for.
    drawn = f"{words['hero']['one']} {words['place']['one']}" if "hero" in words else written
    is_held_out = not is_new and bool(subjects) and crc32(drawn.encode()) % _HELD_OUT == 0
    return Turn(written, answered, exchange, ask, subjects), asked, is_held_out


def _new_name(random: Random) -> Entry:
    """Give a name that nobody has, so that names are taken over and not known by heart."""
    like = random.choice(grammar().lexicons["name"])
    return {**like, "one": (beyond.made_up(random).title(),)}


def _exchange(random: Random) -> Exchange:
    families = _families()
    weights = [_WEIGHTS.get(family, _OTHERS) for family in families]
    (family,) = random.choices(list(families), weights)
    return random.choice(families[family])


@cache
def _families() -> dict[str, list[Exchange]]:
    families: dict[str, list[Exchange]] = {}
    for exchange in exchanges():
        families.setdefault(exchange.family, []).append(exchange)
    return families


def _beyond(random: Random) -> Turn:
    prompt = _as_people_write(beyond.prompt(random), random)
    return Turn(prompt, beyond.answer(random))


def _as_people_write(ask: str, random: Random) -> str:
    """Give ``ask`` in small letters, without its last mark, shorter, or more polite; at times."""
    if random.random() < 0.3:
        for long, short in _SHORTER.items():
            ask = ask.replace(long, short)
    if random.random() < 0.1:
        ask = random.choice(_POLITE) + ask
    if random.random() < 0.25:
        ask = ask.lower()
    if random.random() < 0.25:
        ask = ask.rstrip("?.!")
    return ask
