"""How much is measured."""

from __future__ import annotations

import msgspec


class Size(msgspec.Struct, frozen=True):
    """Say how many rounds there are of each, and how many tokens or requests in one.

    arriving_tokens: the least and the most that a text asks for that comes over time.
    """

    noop_rounds: int = 7
    noop_requests: int = 30_000
    alone_rounds: int = 7
    alone_tokens: int = 48
    at_once_rounds: int = 4
    at_once_tokens: int = 32
    arriving_rounds: int = 3
    arriving_tokens: tuple[int, int] = (16, 96)
    kills: int = 5
    warm_tokens: int = 32


QUICK = Size(
    noop_rounds=3,
    noop_requests=10_000,
    alone_rounds=3,
    alone_tokens=24,
    at_once_rounds=2,
    at_once_tokens=8,
    arriving_rounds=1,
    arriving_tokens=(8, 32),
    kills=2,
    warm_tokens=16,
)
