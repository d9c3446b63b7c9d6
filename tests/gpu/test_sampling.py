"""Choosing tokens: penalties for those that were there before."""

from __future__ import annotations

import pytest
import torch

from failsoft.gpu.text.sampling import Sampler

SCORES = [0.0, 1.0, 2.0, 3.0]


def greedy(frequency: float, presence: float, noted: list[int]) -> int:
    sampler = Sampler(
        0, 1, None, torch.device("cpu"), frequency_penalty=frequency, presence_penalty=presence
    )
    for token in noted:
        sampler.note(token)
    assert not sampler.takes_the_best
    return int(sampler.choose(torch.tensor(SCORES)))


@pytest.mark.parametrize(
    ("frequency", "presence", "noted", "chosen"),
    [
        (0.0, 1.5, [], 3),
        (0.0, 1.5, [3], 2),
        (0.0, 0.5, [3, 3, 3], 3),
        (0.5, 0.0, [3], 3),
        (0.5, 0.0, [3, 3, 3], 2),
        (0.6, 0.6, [3, 2, 2], 3),
        (0.0, -2.0, [2], 2),
    ],
)
def test_penalties_are_taken_off_what_was_said(
    frequency: float, presence: float, noted: list[int], chosen: int
) -> None:
    """One for each time, the other once; below nought they are a reward."""
    assert greedy(frequency, presence, noted) == chosen


def test_the_scores_that_are_given_are_left_as_they_are() -> None:
    """They are a view of what belongs to the whole batch."""
    sampler = Sampler(0, 1, None, torch.device("cpu"), presence_penalty=2.0)
    sampler.note(3)
    scores = torch.tensor(SCORES)
    sampler.choose(scores)
    assert scores.tolist() == SCORES


def test_a_seeded_choice_is_the_same_each_time() -> None:
    """And heeds top_p: the one token that is likely enough."""
    chosen = []
    for _ in range(2):
        sampler = Sampler(1.0, 1.0, 5, torch.device("cpu"))
        chosen.append([int(sampler.choose(torch.tensor(SCORES))) for _ in range(20)])
    assert chosen[0] == chosen[1]
    assert len(set(chosen[0])) > 1
    narrow = Sampler(1.0, 0.1, 5, torch.device("cpu"))
    assert {int(narrow.choose(torch.tensor(SCORES))) for _ in range(20)} == {3}
