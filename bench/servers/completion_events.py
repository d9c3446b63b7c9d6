"""Streams as the OpenAI API has them: what a server sends for each token of a completion."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from bench.servers.smollm2 import Piece


class Ask(msgspec.Struct, frozen=True):
    """Be the part of a request that the servers here heed."""

    prompt: str
    max_tokens: int = 16


def events_of(steps: Iterable[list[Piece | None]]) -> Iterator[list[str]]:
    """Give an event of each text for each step of a batch; "" of those that have ended."""
    for made, pieces in enumerate(steps, 1):
        yield ["" if piece is None else _event(piece, made) for piece in pieces]


def _event(piece: Piece, made: int) -> str:
    choice = {"index": 0, "text": piece.text, "finish_reason": piece.finish}
    event: dict[str, object] = {"object": "text_completion", "choices": [choice]}
    if piece.finish is not None:
        event["usage"] = {"completion_tokens": made}
    return msgspec.json.encode(event).decode()
