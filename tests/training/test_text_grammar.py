"""The grammar writes, and tells its own texts from others."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from training.text.exchange import exchanges
from training.text.grammar import Bound, Grammar
from training.text.world import grammar

PETS = Grammar(
    {
        "pet": (
            {"one": ("cat",), "many": ("cats",), "eats": ("fish", "milk"), "says": ("meow",)},
            {"one": ("hen",), "many": ("hens",), "eats": ("corn",)},
        )
    }
)


@given(st.randoms(use_true_random=False))
def test_what_is_written_is_accepted(random: Random) -> None:
    """Of any question and answer in the files, the one beside the other."""
    exchange = random.choice(exchanges())
    ask, answer = random.choice(exchange.asks), random.choice(exchange.answers)
    words: Bound = {}
    asked = grammar().write(ask, random, words, [answer])
    answered = grammar().write(answer, random, words)
    assert grammar().accepts(f"{ask}\n{answer}", f"{asked}\n{answered}")


@pytest.mark.parametrize(
    ("text", "is_accepted"),
    [
        ("Cats eat fish.", True),
        ("Cats eat milk.", True),
        ("Hens eat fish.", False),
        ("cats eat fish.", False),
        ("Dogs eat fish.", False),
        ("Cats eat fish. ", False),
        ("Cats eat", False),
    ],
)
def test_only_what_is_true_is_accepted(text: str, is_accepted: bool) -> None:
    """A word goes with what its own entry says, and nothing may be left over."""
    assert PETS.accepts("{Pet.many} eat {pet.eats}.", text) is is_accepted


def test_a_choice_is_kept() -> None:
    """What was chosen once is the same where it is named again."""
    template = "Do {pet.many} eat {pet.eats=meal}? Yes, {pet.many} eat {meal}."
    assert PETS.accepts(template, "Do cats eat milk? Yes, cats eat milk.")
    assert not PETS.accepts(template, "Do cats eat milk? Yes, cats eat fish.")


def test_two_labels_are_two_words() -> None:
    """Nobody meets himself."""
    assert PETS.accepts("The {pet} met the {other:pet}.", "The cat met the hen.")
    assert not PETS.accepts("The {pet} met the {other:pet}.", "The cat met the cat.")


def test_only_words_that_can_answer_are_asked_about() -> None:
    """A hen says nothing here, so nobody asks what it says."""
    asked = {
        PETS.write("What does the {pet} say?", Random(seed), {}, ["It says {pet.says}."])
        for seed in range(20)
    }
    assert asked == {"What does the cat say?"}


def test_choices_may_be_nested_and_empty() -> None:
    """All of them are written, and accepted."""
    template = "[Yes[|, indeed]|No]."
    written = {PETS.write(template, Random(seed), {}) for seed in range(40)}
    assert written == {"Yes.", "Yes, indeed.", "No."}
    assert all(PETS.accepts(template, text) for text in written)


@pytest.mark.parametrize("template", ["[one|two", "one]", "{pet", "{pet animal}"])
def test_a_template_that_is_none_is_refused(template: str) -> None:
    """With the template, so that it is found in its file."""
    with pytest.raises(ValueError, match=r"brackets don't match|no slot"):
        PETS.accepts(template, "one")
