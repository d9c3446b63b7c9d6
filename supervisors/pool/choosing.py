"""Choosing: which of equal replicas a request goes to. Pure; chance is passed in.

Power of two choices: of two drawn by chance, the one with less in hand. That spreads load nearly
as well as asking all of them, at a cost that doesn't grow with their number (Mitzenmacher, The
Power of Two Choices in Randomized Load Balancing, 2001).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from random import Random
from typing import Protocol, TypeVar

import msgspec

from failsoft.messages import GenerateText

# Shorter beginnings aren't kept by engines, or are as quickly read.
_FEWEST_CHARACTERS = 64


class Loaded(Protocol):
    """Have an id, and some requests in hand."""

    @property
    def id(self) -> str: ...

    @property
    def outstanding(self) -> int: ...


LoadedT = TypeVar("LoadedT", bound=Loaded)


class Affinity(msgspec.Struct, frozen=True):
    """Send prompts that begin alike to the same replica, whose engine has read the beginning.

    characters: of the prompt's beginning, by which prompts are known to be alike.
    worth: how many more requests in hand than another that replica may have, and still get it.
    most: beginnings that are remembered; the one that was of no use for the longest goes.
    """

    characters: int = 256
    worth: int = 4
    most: int = 10_000

    def __post_init__(self) -> None:
        if self.characters < _FEWEST_CHARACTERS or self.worth < 0 or self.most < 1:
            raise ValueError(
                f"an affinity needs characters >= {_FEWEST_CHARACTERS}, worth >= 0 and most >= 1"
            )


def two_choices(replicas: Sequence[LoadedT], random: Random) -> LoadedT:
    """Give the less loaded of two that are drawn by chance. ``replicas`` must not be empty."""
    count = len(replicas)
    first = replicas[int(random.random() * count)]
    if count == 1:
        return first
    # Another one than the first: of two it is always the pair that is compared.
    second = replicas[int(random.random() * (count - 1))]
    if second is first:
        second = replicas[-1]
    return second if second.outstanding < first.outstanding else first


class Chooser:
    """Choose by two choices, and by what a replica has read where it isn't much busier for that."""

    __slots__ = ("_affinity", "_known", "_random")

    def __init__(self, random: Random, affinity: Affinity | None) -> None:
        self._random = random
        self._affinity = affinity
        self._known: OrderedDict[str, str] = OrderedDict()

    def choose(
        self,
        replicas: Sequence[LoadedT],
        request: object,
        find: Callable[[str], LoadedT | None],
    ) -> LoadedT:
        """Give one of ``replicas``, of which there is at least one. find: gives it by its id."""
        chosen = two_choices(replicas, self._random)
        if self._affinity is None or len(replicas) == 1:
            return chosen
        beginning = beginning_of(request, self._affinity.characters)
        if beginning is None:
            return chosen
        known = self._known.get(beginning)
        kept = None if known is None else find(known)
        if kept is not None and kept.outstanding <= chosen.outstanding + self._affinity.worth:
            chosen = kept
        self._remember(beginning, chosen.id)
        return chosen

    def _remember(self, beginning: str, id: str) -> None:
        assert self._affinity is not None
        self._known[beginning] = id
        self._known.move_to_end(beginning)
        if len(self._known) > self._affinity.most:
            self._known.popitem(last=False)

    def __repr__(self) -> str:
        return f"<Chooser {len(self._known)} beginnings known>"


def beginning_of(request: object, characters: int) -> str | None:
    """Give a prompt's first characters; None where it has no prompt, or a short one."""
    if not isinstance(request, GenerateText):
        return None
    if isinstance(request.prompt, str):
        beginning = request.prompt[:characters]
    else:
        parts, left = [], characters
        for message in request.prompt:
            parts.append(message.content[:left])
            left -= len(parts[-1])
            if left <= 0:
                break
        beginning = "\n".join(parts)
    return beginning if len(beginning) >= _FEWEST_CHARACTERS else None
