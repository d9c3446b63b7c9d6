"""What a keeper is told when it is started, and what it says then."""

from __future__ import annotations

import msgspec


class KeeperOrder(msgspec.Struct, frozen=True):
    """Tell a keeper how to be reached: one line of JSON on its standard input.

    key: 32 bytes that whoever claims the worker must know. silence_limit: in seconds; see
    ``RayPlacement``. host: the address to listen at, or its name.
    """

    key: bytes
    silence_limit: float
    host: str = "127.0.0.1"


class KeeperAddress(msgspec.Struct, frozen=True):
    """Tell where a keeper listens: one line of JSON on its standard output."""

    host: str
    port: int
    is_tls: bool = False
