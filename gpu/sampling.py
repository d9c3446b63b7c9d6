"""Choose the next token from the model's scores."""

from __future__ import annotations

import torch
from torch import Tensor

# Below it, scores divided by the temperature overflow float32, and the best token wins anyway.
_GREEDY_BELOW = 1e-5


class Sampler:
    """Choose one token at a time: the best one, or by chance among the likely ones.

    temperature: 0 takes the token with the highest score; higher is more even.
    top_p: only the most likely tokens count that together reach this probability, over 0 to 1.
    seed: makes the choices repeatable on the same device; None takes a new one each time.
    """

    def __init__(
        self, temperature: float, top_p: float, seed: int | None, device: torch.device
    ) -> None:
        self._temperature = temperature
        self._top_p = top_p
        self._generator = torch.Generator(device)
        if seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(seed)

    def choose(self, scores: Tensor) -> Tensor:
        """Give the token chosen from ``scores`` (vocabulary size), shape (1,)."""
        if self._temperature < _GREEDY_BELOW:
            return scores.argmax(dim=-1, keepdim=True)
        probabilities = torch.softmax(scores.float() / self._temperature, dim=-1)
        if self._top_p >= 1:
            return torch.multinomial(probabilities, 1, generator=self._generator)
        ordered, tokens = probabilities.sort(descending=True)
        # A token stays while those before it fall short of top_p: the first one always does.
        beyond = ordered.cumsum(dim=-1) - ordered >= self._top_p
        beyond[0] = False  # a top_p too small for float32 is 0 there
        ordered[beyond] = 0
        return tokens[torch.multinomial(ordered, 1, generator=self._generator)]
