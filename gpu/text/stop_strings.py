"""Cut a stream of text at the first stop string, which never shows, not even in part."""

from __future__ import annotations

from collections.abc import Sequence


class StopStrings:
    """Pass text on up to the stop string that is complete first.

    Where two are complete at the same character, the longer one wins. How the text is cut into
    pieces makes no difference to what comes out.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.stopped = False

    def feed(self, piece: str) -> str:
        """Give the text that is certainly no part of a stop string; nothing once stopped."""
        if self.stopped:
            return ""
        text = self._held + piece
        found = self._first_complete(text)
        if found is not None:
            self.stopped, self._held = True, ""
            return text[:found]
        keep = len(text) - self._held_back(text)
        self._held = text[keep:]
        return text[:keep]

    def flush(self) -> str:
        """Give what was held back, at the end of the text: it was no stop string after all."""
        held, self._held = self._held, ""
        return held

    def _first_complete(self, text: str) -> int | None:
        """Give where the stop string that ends first begins, or None."""
        ends = [(at + len(stop), at) for stop in self._stops if (at := text.find(stop)) >= 0]
        return min(ends)[1] if ends else None

    def _held_back(self, text: str) -> int:
        """Give the length of the longest end of ``text`` that a stop string begins with."""
        longest = max((len(stop) - 1 for stop in self._stops), default=0)
        for length in range(min(longest, len(text)), 0, -1):
            end = text[-length:]
            if any(stop.startswith(end) for stop in self._stops):
                return length
        return 0
