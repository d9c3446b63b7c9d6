"""What is kept of prompts that were read, for later ones that begin with the same tokens."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

import msgspec

KeptT = TypeVar("KeptT")

# Shorter ones are read as fast as they are looked up and put in place.
_FEWEST_TOKENS = 64


class Prefix(NamedTuple, Generic[KeptT]):
    """Tell how many tokens a prompt has in common with a kept one, and what is kept of that."""

    length: int
    kept: KeptT | None


class PrefixCacheStatistics(msgspec.Struct, frozen=True):
    """Know what is kept now, of the most there may be, and how often it was of use."""

    prompts: int
    tokens: int
    most_tokens: int
    hits: int
    misses: int


class PrefixCache(Generic[KeptT]):
    """Keep so many tokens' worth; let go of the prompt that was of no use for the longest.

    A prompt is kept where less than half of it was kept before. So requests that share their
    beginning keep it once, and a chat that grows is kept anew each time it has doubled.

    most_tokens: of all prompts together; 0 keeps nothing. Of a longer prompt its beginning is kept.
    """

    def __init__(self, most_tokens: int) -> None:
        self._most_tokens = most_tokens
        self._kept: OrderedDict[tuple[int, ...], KeptT] = OrderedDict()
        self._tokens = 0
        self._hits = 0
        self._misses = 0

    def __repr__(self) -> str:
        return f"<PrefixCache {self._tokens} of {self._most_tokens} tokens>"

    def statistics(self) -> PrefixCacheStatistics:
        return PrefixCacheStatistics(
            len(self._kept), self._tokens, self._most_tokens, self._hits, self._misses
        )

    def known(self, prompt: Sequence[int]) -> Prefix[KeptT]:
        """Give the longest beginning of ``prompt`` that is kept; of length 0 where none is.

        It is never all of it: the last token's scores must be computed.
        """
        length, tokens = self._longest(prompt)
        if tokens is None:
            return Prefix(0, None)
        return Prefix(length, self._kept[tokens])

    def keep(self, prompt: Sequence[int], take: Callable[[int], KeptT]) -> None:
        """Note that ``prompt`` was read; keep it, where that is of use.

        take: gives what is to be kept of so many of its first tokens.
        """
        most = min(len(prompt), self._most_tokens)
        if most <= _FEWEST_TOKENS:
            return
        length, tokens = self._longest(prompt)
        if tokens is None:
            self._misses += 1
        else:
            self._hits += 1
            self._kept.move_to_end(tokens)
        if 2 * length >= most:
            return
        if tokens is not None and length == len(tokens):
            self._let_go(tokens)
        while self._kept and self._tokens + most > self._most_tokens:
            self._let_go(next(iter(self._kept)))
        self._kept[tuple(prompt[:most])] = take(most)
        self._tokens += most

    def give_up(self) -> None:
        """Let go of all, and keep nothing any more: memory is too scarce for it."""
        self._kept.clear()
        self._tokens = self._most_tokens = 0

    def _longest(self, prompt: Sequence[int]) -> tuple[int, tuple[int, ...] | None]:
        common = ((_in_common(prompt, tokens), tokens) for tokens in self._kept)
        length, tokens = max(common, key=lambda found: found[0], default=(0, ()))
        length = min(length, len(prompt) - 1)
        return (length, tokens) if length >= _FEWEST_TOKENS else (0, None)

    def _let_go(self, tokens: tuple[int, ...]) -> None:
        del self._kept[tokens]
        self._tokens -= len(tokens)


def _in_common(one: Sequence[int], other: Sequence[int]) -> int:
    """Give how many tokens both begin with."""
    for at, (mine, theirs) in enumerate(zip(one, other, strict=False)):
        if mine != theirs:
            return at
    return min(len(one), len(other))
