"""How likely the tokens of one answer were, told once their text shows.

Imports torch: only a worker process imports this module.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import torch
from torch import Tensor

from failsoft.messages.logprobs import TokenLogprob, TopLogprob

# OpenAI's number for a token that is as good as impossible: JSON has no infinity.
_LEAST = -9999.0


class Logprobs:
    """Note how likely each token is; hold what was noted until the token's text shows.

    So a stop string, which never shows, doesn't show here either.

    top: how many of the most likely tokens to tell besides. bytes_of: gives a token's bytes.
    """

    def __init__(self, top: int, bytes_of: Callable[[int], bytes]) -> None:
        self._top = top
        self._bytes_of = bytes_of
        self._held: deque[tuple[int, TokenLogprob]] = deque()

    def note(self, token: int, scores: Tensor, begins_at: int) -> None:
        """Take note of ``token``, chosen by ``scores`` (vocabulary size).

        begins_at: how many characters of text there were before it.
        """
        logprobs = torch.log_softmax(scores.float(), dim=-1)
        values, tokens = logprobs.topk(min(self._top, len(logprobs)))
        top = tuple(
            TopLogprob(*self._told(token, value))
            for token, value in zip(tokens.tolist(), values.tolist(), strict=True)
        )
        told = TokenLogprob(*self._told(token, float(logprobs[token])), top)
        self._held.append((begins_at, told))

    def shown(self, characters: int) -> tuple[TokenLogprob, ...]:
        """Give those not given yet whose text begins within the first ``characters``."""
        shown = []
        while self._held and self._held[0][0] < characters:
            shown.append(self._held.popleft()[1])
        return tuple(shown)

    def _told(self, token: int, logprob: float) -> tuple[str, float, tuple[int, ...]]:
        said = self._bytes_of(token)
        return said.decode(errors="replace"), max(logprob, _LEAST), tuple(said)
