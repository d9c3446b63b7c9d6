"""How much is measured."""

from __future__ import annotations

import msgspec


class Size(msgspec.Struct, frozen=True):
    """Say how many rounds there are of each, and how many tokens a text has.

    arriving_tokens: the least and the most that a text asks for that comes over time.
    arriving_seconds: in which texts come.
    """

    alone_rounds: int = 5
    alone_tokens: int = 24
    at_once_rounds: int = 3
    at_once_tokens: int = 24
    arriving_rounds: int = 2
    arriving_tokens: tuple[int, int] = (16, 48)
    arriving_seconds: float = 10.0


QUICK = Size(
    alone_rounds=2,
    alone_tokens=12,
    at_once_rounds=1,
    at_once_tokens=12,
    arriving_rounds=1,
    arriving_tokens=(8, 24),
    arriving_seconds=4.0,
)
