"""The n-gram that the language model is held against."""

from __future__ import annotations

import math

import pytest
from training.text.ngram import NGram
from training.text.tokens import VOCABULARY, Encoded


def text(*tokens: int) -> Encoded:
    """Give a text of which all but the first is learned."""
    return Encoded([0, *tokens], [False, *(True for _ in tokens)])


TEXTS = [text(1, 2, 3), text(1, 2, 4), text(5, 2, 3), text(6, 7), text(1, 2, 3), text(6, 8)]


@pytest.mark.parametrize("before", [(0,), (0, 1), (0, 1, 2), (0, 9), (9, 9, 9, 9)])
def test_what_may_follow_adds_up_to_one(before: tuple[int, ...]) -> None:
    """Also after what was never seen."""
    ngram = NGram(TEXTS)
    total = sum(ngram._likely((*before, token)) for token in range(VOCABULARY))
    assert total == pytest.approx(1)


def test_what_came_often_is_likely() -> None:
    """More so than what came once, and that more than what never came."""
    ngram = NGram(TEXTS)
    often, once, never = (ngram._likely((0, 1, 2, token)) for token in (3, 4, 5))
    assert often > once > never > 0


def test_only_what_is_to_be_learned_counts() -> None:
    """Neither in training nor in what is measured."""
    ngram = NGram(TEXTS)
    total = ngram.surprise([Encoded([0, 1, 2], [False, False, True])])
    assert total == pytest.approx(-math.log(ngram._likely((0, 1, 2))))
