"""Put texts of different lengths into batches, so that little is computed for padding. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def batches(lengths: Sequence[int], most_tokens: int) -> list[list[int]]:
    """Give the positions of ``lengths`` (in tokens, at least 1 each) in batches, longest first.

    A batch is padded to its longest text, and has at most ``most_tokens`` tokens then, or one
    text. Longest first, so that what doesn't fit the memory fails at once.
    """
    planned: list[list[int]] = []
    for position in sorted(range(len(lengths)), key=lambda position: -lengths[position]):
        longest = lengths[planned[-1][0]] if planned else 0
        if planned and longest * (len(planned[-1]) + 1) <= most_tokens:
            planned[-1].append(position)
        else:
            planned.append([position])
    return planned
