"""The order for a round, as the clients are given it."""

from __future__ import annotations

import msgspec


class Order(msgspec.Struct, frozen=True):
    """Have them ask for so long. is_ending: the service is told to end in the midst of it."""

    seconds: float
    is_ending: bool = False
