"""Which of equal replicas a request goes to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random

import pytest

from failsoft.messages import ChatMessage, GenerateText
from failsoft.supervisors.pool.choosing import Affinity, Chooser, beginning_of, two_choices


@dataclass
class Loaded:
    id: str
    outstanding: int = 0


def replicas(*outstanding: int) -> list[Loaded]:
    return [Loaded(str(number), have) for number, have in enumerate(outstanding)]


LONG = "You are a helpful assistant who answers in as few words as there can be. " * 4


def test_of_two_the_less_loaded_is_chosen() -> None:
    random = Random(1)
    assert {two_choices(replicas(3, 2), random).id for _ in range(50)} == {"1"}


def test_the_busiest_of_many_is_never_chosen() -> None:
    """It is always one of two, and the other one has less."""
    random = Random(1)
    chosen = {two_choices(replicas(9, 1, 2, 3), random).id for _ in range(500)}
    assert chosen == {"1", "2", "3"}


def test_equally_loaded_ones_are_chosen_equally_often() -> None:
    random = Random(1)
    counts = Counter(two_choices(replicas(0, 0, 0, 0, 0), random).id for _ in range(10_000))
    assert min(counts.values()) > 1_850
    assert max(counts.values()) < 2_150


def test_two_choices_keep_the_most_loaded_near_the_mean() -> None:
    """Mitzenmacher: where one choice gives a fullest bin far above the mean, two hardly do."""

    def fullest(of_two: bool) -> int:
        random, bins = Random(5), replicas(*[0] * 1000)
        for _ in range(10_000):
            (two_choices(bins, random) if of_two else random.choice(bins)).outstanding += 1
        return max(each.outstanding for each in bins)

    assert fullest(of_two=True) <= 13 < fullest(of_two=False)


def chooser(affinity: Affinity | None = None) -> Chooser:
    return Chooser(Random(1), affinity)


def test_prompts_that_begin_alike_go_to_the_same_replica() -> None:
    those = replicas(0, 0, 0, 0)
    find = {each.id: each for each in those}.get
    choose = chooser(Affinity())
    requests = [GenerateText(LONG + str(number)) for number in range(50)]
    assert len({choose.choose(those, request, find).id for request in requests}) == 1


def test_without_affinity_prompts_that_begin_alike_go_anywhere() -> None:
    those = replicas(0, 0, 0, 0)
    choose = chooser()
    requests = [GenerateText(LONG + str(number)) for number in range(50)]
    assert len({choose.choose(those, each, lambda _id: None).id for each in requests}) == 4


def test_a_replica_that_is_much_busier_loses_its_prompts_to_another() -> None:
    those = replicas(0, 0)
    find = {each.id: each for each in those}.get
    choose = chooser(Affinity(worth=2))
    first = choose.choose(those, GenerateText(LONG), find)
    first.outstanding = 2
    assert choose.choose(those, GenerateText(LONG), find) is first
    first.outstanding = 3
    other = choose.choose(those, GenerateText(LONG), find)
    assert other is not first
    first.outstanding = 0
    other.outstanding = 1
    assert choose.choose(those, GenerateText(LONG), find) is other  # which has read it by now


def test_a_replica_that_has_gone_is_forgotten() -> None:
    those = replicas(0, 0, 0)
    choose = chooser(Affinity())
    first = choose.choose(those, GenerateText(LONG), lambda _id: None)
    those.remove(first)
    find = {each.id: each for each in those}.get
    assert choose.choose(those, GenerateText(LONG), find) in those


def test_as_many_beginnings_are_remembered_as_may_be() -> None:
    those = replicas(0, 0, 0, 0)
    choose = chooser(Affinity(most=3))
    for number in range(10):
        choose.choose(those, GenerateText(f"{number} {LONG}"), lambda _id: None)
    assert repr(choose) == "<Chooser 3 beginnings known>"


@pytest.mark.parametrize(
    ("request_", "beginning"),
    [
        (GenerateText("short"), None),
        (GenerateText("x" * 300), "x" * 256),
        (
            GenerateText((ChatMessage("system", "s" * 200), ChatMessage("user", "u" * 90))),
            "s" * 200 + "\n" + "u" * 56,
        ),
        (object(), None),
    ],
    ids=["short", "long", "chat", "no text"],
)
def test_a_beginning_is_that_of_the_prompt(request_: object, beginning: str | None) -> None:
    """A chat's is that of its turns, one after the other."""
    assert beginning_of(request_, 256) == beginning


@pytest.mark.parametrize("fields", [{"characters": 63}, {"worth": -1}, {"most": 0}])
def test_an_affinity_that_makes_no_sense_is_refused(fields: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="an affinity needs"):
        Affinity(**fields)
