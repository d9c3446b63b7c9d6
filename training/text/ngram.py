"""What the model is held against: an interpolated Kneser-Ney n-gram of the same tokens."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable

from training.text.tokens import VOCABULARY, Encoded

ORDER = 5

Gram = tuple[int, ...]


class NGram:
    """Tell how likely tokens are after the ``ORDER - 1`` before them.

    The highest order counts how often a token came, those below it after how many different
    tokens it came; of each count a discount goes to the next order.
    """

    def __init__(self, texts: Iterable[Encoded]) -> None:
        counts: list[Counter[Gram]] = [Counter() for _ in range(ORDER + 1)]
        for text in texts:
            for at, learned in enumerate(text.learned):
                if learned:
                    for order in range(1, min(at + 1, ORDER) + 1):
                        counts[order][tuple(text.tokens[at + 1 - order : at + 1])] += 1
        # A gram at the very beginning has nothing before it, and stays as it was counted.
        for order in range(1, ORDER):
            before: Counter[Gram] = Counter(gram[1:] for gram in counts[order + 1])
            for gram, number in before.items():
                counts[order][gram] = number
        self._counts = counts
        self._discounts = [_discount(counter) for counter in counts]
        self._totals: list[dict[Gram, int]] = [defaultdict(int) for _ in counts]
        self._kinds: list[dict[Gram, int]] = [defaultdict(int) for _ in counts]
        for order, counter in enumerate(counts):
            for gram, number in counter.items():
                self._totals[order][gram[:-1]] += number
                self._kinds[order][gram[:-1]] += 1

    def surprise(self, texts: Iterable[Encoded]) -> float:
        """Give minus the log of how likely the learned tokens are, in all."""
        total = 0.0
        for text in texts:
            for at, learned in enumerate(text.learned):
                if learned:
                    gram = tuple(text.tokens[max(at + 1 - ORDER, 0) : at + 1])
                    total -= math.log(self._likely(gram))
        return total

    def _likely(self, gram: Gram) -> float:
        if not gram:
            return 1 / VOCABULARY
        order, context = len(gram), gram[:-1]
        below = self._likely(gram[1:])
        total = self._totals[order].get(context, 0)
        if not total:
            return below
        discount = self._discounts[order]
        kept = max(self._counts[order].get(gram, 0) - discount, 0.0) / total
        return kept + discount * self._kinds[order][context] / total * below


def _discount(counter: Counter[Gram]) -> float:
    """Give the discount by how many grams came once and twice."""
    times = Counter(counter.values())
    return times[1] / (times[1] + 2 * times[2]) if times[1] else 0.0
