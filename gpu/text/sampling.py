"""Choose the next token from the model's scores."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor

# Below it, scores divided by the temperature overflow float32, and the best token wins anyway.
_GREEDY_BELOW = 1e-5


class Sampler:
    """Choose one token at a time: the best one, or by chance among the likely ones.

    temperature: 0 takes the token with the highest score; higher is more even.
    top_p: only the most likely tokens count that together reach this probability, over 0 to 1.
    seed: makes the choices repeatable on the same device; None takes a new one each time.
    frequency_penalty, presence_penalty: taken off the score of a token that was noted before, for
        each time, and once.
    """

    def __init__(
        self,
        temperature: float,
        top_p: float,
        seed: int | None,
        device: torch.device,
        *,
        frequency_penalty: float = 0.0,
        presence_penalty: float = 0.0,
    ) -> None:
        self._temperature = temperature
        self._top_p = top_p
        self._frequency_penalty = frequency_penalty
        self._presence_penalty = presence_penalty
        self._has_penalties = bool(frequency_penalty or presence_penalty)
        self._noted: Counter[int] = Counter()
        self._generator = torch.Generator(device)
        if seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(seed)

    @property
    def takes_the_best(self) -> bool:
        """Tell whether the token with the highest score is always the one."""
        return self._is_greedy and not self._has_penalties

    def choose(self, scores: Tensor) -> Tensor:
        """Give the token chosen from ``scores`` (vocabulary size), shape (1,)."""
        if self._has_penalties and self._noted:
            scores = self._with_penalties(scores)
        if self._is_greedy:
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

    def skip(self, tokens: int, vocabulary: int) -> None:
        """Be as after the choice of so many tokens: chance goes on from there.

        A draw takes as many numbers as there are tokens to choose from, whatever their scores.
        """
        if self._is_greedy:
            return
        evenly = torch.ones(vocabulary, device=self._generator.device)
        for _ in range(tokens):
            torch.multinomial(evenly, 1, generator=self._generator)

    def note(self, token: int) -> None:
        """Take note of a token of the answer, for the penalties."""
        if self._has_penalties:
            self._noted[token] += 1

    @property
    def _is_greedy(self) -> bool:
        return self._temperature < _GREEDY_BELOW

    def _with_penalties(self, scores: Tensor) -> Tensor:
        scores = scores.float().clone()
        tokens = torch.tensor(list(self._noted), device=scores.device)
        times = torch.tensor(list(self._noted.values()), device=scores.device)
        scores[tokens] -= self._frequency_penalty * times + self._presence_penalty
        return scores
