"""Given: what the reader of a stream has, so that another worker can go on where one was lost."""

from __future__ import annotations

from typing import Any

import msgspec

from failsoft.messages import TextChunk
from failsoft.messages.answered import Answered


class Given(msgspec.Struct, eq=False):
    """Keep a stream's tokens and text, as its chunks tell them.

    model: who gave them, the last time. resumed_after: tokens that the reader had when a worker
    was lost, the first time. is_known: each chunk so far told which tokens it was made of, and
    none was the last one.
    """

    model: str = ""
    resumed_after: int = 0
    is_known: bool = True
    _token_ids: list[int] = []
    _texts: list[str] = []
    _logprobs: int | None = None

    @property
    def tokens(self) -> int:
        """Give how many tokens there are."""
        return len(self._token_ids)

    def note(self, chunk: Any) -> None:
        """Take note of a chunk that goes to the reader."""
        if not isinstance(chunk, TextChunk) or chunk.is_last:
            self.is_known = False
            return
        if len(chunk.token_ids) != chunk.tokens:
            self.is_known = False
        self._token_ids.extend(chunk.token_ids)
        self._texts.append(chunk.text)
        if chunk.logprobs is not None:
            self._logprobs = (self._logprobs or 0) + len(chunk.logprobs)

    def answered(self) -> Answered:
        """Give what is to be gone on with.

        A token whose text is held back yet has not had its likelihood told: it is made again.
        """
        del self._token_ids[len(self._token_ids) if self._logprobs is None else self._logprobs :]
        return Answered(tuple(self._token_ids), "".join(self._texts))
