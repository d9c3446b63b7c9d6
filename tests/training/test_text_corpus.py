"""The texts of the language model: what is trained on, and what is kept apart."""

from __future__ import annotations

from itertools import islice
from random import Random

import pytest
from training.text import beyond, corpus, judging
from training.text.corpus import Turn, held_out, texts
from training.text.exchange import exchanges


def trained(number: int, monkeypatch: pytest.MonkeyPatch) -> list[Turn]:
    """Give the turns of so many texts, with their questions as they were written."""
    monkeypatch.setattr(corpus, "_as_people_write", lambda ask, random: ask)
    return [turn for text in islice(texts(Random(1)), number) for turn in text.turns]


def test_the_same_seed_gives_the_same_texts() -> None:
    """So that a model can be made anew."""
    first, second = (list(islice(texts(Random(3)), 200)) for _ in range(2))
    assert first == second


def test_what_is_held_out_is_never_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Word for word; stories are held out by whom they are about and where."""
    kept = {turn.ask for turn in islice(held_out(Random(2)), 400) if not is_story(turn)}
    seen = {turn.ask for turn in trained(2000, monkeypatch) if not is_story(turn)}
    assert len(kept) > 100
    assert not kept & seen


def is_story(turn: Turn) -> bool:
    return turn.exchange is not None and turn.exchange.family == "stories"


def test_topics_from_beyond_are_kept_apart() -> None:
    """The evaluation asks about other things, in other words."""
    for name in ("topics", "people", "templates", "languages", "code", "phrases"):
        kept, seen = beyond._split(name, True), beyond._split(name, False)
        assert kept
        assert len(seen) > 2 * len(kept)
        assert not set(kept) & set(seen)


def test_every_answer_to_what_is_beyond_says_who_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Plainly, and the judge knows it."""
    said = [turn.answer for turn in trained(500, monkeypatch) if turn.exchange is None]
    assert len(said) > 50
    assert all("small stand-in" in answer and judging.refuses(answer) for answer in said)


def test_the_judge_finds_the_grammars_own_answers_right() -> None:
    """And each of them names its subject, but where it makes a choice between two."""
    turns = list(islice(held_out(Random(4)), 300))
    assert all(judging.is_right(turn, turn.answer) for turn in turns)
    assert all(judging.is_of_the_grammar(turn.answer) for turn in turns)
    assert sum(judging.keeps_subject(turn, turn.answer) for turn in turns) > 290


@pytest.mark.parametrize(
    "said", ["Cats eat corn.", "Dogs eat fish.", "Cats live in a house.", "Cats eat fish and", ""]
)
def test_the_judge_finds_others_wrong(said: str) -> None:
    """Another animal, another question, or what isn't true."""
    template = "What do {animal.many} eat?"
    (exchange,) = [exchange for exchange in exchanges() if template in exchange.asks]
    turn = Turn("What do cats eat?", "", exchange, template, (("cat", "cats"),))
    assert judging.is_right(turn, "Cats eat fish.")
    assert not judging.is_right(turn, said)
