"""The ledger: how each request ended, and how many did so in which way."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import Enum

import msgspec

from bench.chaos.phase import Question

# Seconds. Whoever is told no so soon can ask elsewhere; an answer in that time is a prompt one.
PROMPT = 1.0
# So many prompt answers in a row, and a server has recovered.
IN_A_ROW = 20


class Kind(Enum):
    """Tell how a request ended, as its caller sees it.

    REFUSED: with a status that says so and a word about it, within a second. FAILED: with a
    status later than that, or without a word. LOST: with a closed connection, or none to be had.
    HUNG: with nothing, until its caller had no more patience. WRONG: with something else than its
    own answer. TWICE: with its answer, and another one.
    """

    ANSWERED = "answered"
    REFUSED = "refused"
    FAILED = "failed late"
    LOST = "lost"
    HUNG = "hung"
    WRONG = "wrong"
    TWICE = "twice"


class End(msgspec.Struct, frozen=True):
    """Be the end of a request. Times are in seconds from the phase's beginning."""

    question: Question
    kind: Kind
    asked_at: float
    ended_at: float
    status: int | None = None

    @property
    def seconds(self) -> float:
        return self.ended_at - self.asked_at

    @property
    def is_prompt(self) -> bool:
        return self.kind is Kind.ANSWERED and self.seconds <= PROMPT


class Count(msgspec.Struct, frozen=True):
    """Count the ends of those who did no harm, and of those who did.

    slowest: the time in which 99 of 100 answers came; None without an answer.
    """

    asked: int
    ends: dict[Kind, int]
    guilty: dict[Kind, int]
    slowest: float | None

    @classmethod
    def of(cls, ends: Sequence[End]) -> Count:
        innocent = [end for end in ends if not end.question.is_guilty]
        return cls(
            len(innocent),
            Counter(end.kind for end in innocent),
            Counter(end.kind for end in ends if end.question.is_guilty),
            _p99(end.seconds for end in innocent if end.kind is Kind.ANSWERED),
        )

    def __getitem__(self, kind: Kind) -> int:
        return self.ends.get(kind, 0)

    @property
    def answered_share(self) -> float:
        return self[Kind.ANSWERED] / self.asked if self.asked else 0.0


def recovered_after(ends: Sequence[End], since: float) -> float | None:
    """Give after how many seconds from ``since`` on all was well again; None if it never was.

    That is when the first of ``IN_A_ROW`` prompt answers came, in the order in which they were
    asked for. Requests that had ended by then, and the guilty, don't count.
    """
    concerned = [end for end in ends if end.ended_at > since and not end.question.is_guilty]
    row: list[End] = []
    for end in sorted(concerned, key=lambda end: end.asked_at):
        row = [*row, end] if end.is_prompt else []
        if len(row) == IN_A_ROW:
            return row[0].ended_at - since
    return None


def per_second(ends: Iterable[End], until: float, bin: float) -> list[tuple[float, float]]:
    """Give the right answers a second, over ``bin`` seconds each: (middle, number a second)."""
    counts = Counter(int(end.ended_at / bin) for end in ends if end.kind is Kind.ANSWERED)
    return [((number + 0.5) * bin, counts[number] / bin) for number in range(int(until / bin))]


def _p99(seconds: Iterable[float]) -> float | None:
    ordered = sorted(seconds)
    return ordered[math.ceil(0.99 * len(ordered)) - 1] if ordered else None
