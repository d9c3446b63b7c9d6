"""Rates: how many tokens a second each model makes, and made in the last two minutes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from failsoft.actors import TreeNode

_SHORTEST: Final = 1.0
# After a pause in which nobody looked, the mean of it would pass for what is now.
_LONGEST: Final = 5.0
_KEPT: Final = 120


class Rates:
    """Take the rates of all models, as often as somebody looks, but once a second at most.

    shortest: seconds that a rate is taken over, at least.
    now: path → tokens a second; a model that was not looked at before isn't there.
    past: the rates of up to two minutes, each with its time, the oldest first.
    """

    def __init__(self, shortest: float = _SHORTEST) -> None:
        self._shortest = shortest
        self.now: dict[str, float] = {}
        self.past: deque[tuple[float, dict[str, float]]] = deque(maxlen=_KEPT)
        self._tokens: dict[str, int] = {}
        self._at: float | None = None

    def __repr__(self) -> str:
        return f"<Rates of {len(self.now)} models, {len(self.past)} times>"

    def look(self, nodes: Iterable[TreeNode], now: float) -> None:
        """Take what the models have made by now."""
        seconds = None if self._at is None else now - self._at
        if seconds is not None and seconds < self._shortest:
            return
        tokens = {
            node.path: node.shows["tokens"]
            for node in nodes
            if "model_state" in node.shows and "tokens" in node.shows
        }
        if seconds is None or seconds > _LONGEST:
            self.now = {}
        else:
            self.now = {
                path: round(self._made(path, made) / seconds, 1)
                for path, made in tokens.items()
                if path in self._tokens
            }
            self.past.append((round(now, 1), self.now))
        self._tokens, self._at = tokens, now

    def _made(self, path: str, made: int) -> int:
        before = self._tokens[path]
        return made - before if made >= before else made  # the count of a new incarnation
