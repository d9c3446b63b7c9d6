"""Which prompts are read together: those of like lengths, so that little is padding."""

from __future__ import annotations

from collections.abc import Sequence

# Padding costs as much as text does. A fresh pass over the weights costs about as much as so many
# tokens of padding (SmolLM2-135M in float32 on one CPU thread).
_FREE_PADDING = 16


def read_together(lengths: Sequence[int], most: int, most_tokens: int) -> list[int]:
    """Give the positions of the prompts to read with the first one, which is among them.

    lengths: of the prompts, oldest first, in tokens. most: prompts; most_tokens: of all, with
    their padding; the first prompt may have more. At most a fifth of the tokens, or a few, are
    padding.
    """
    group, total, longest = [0], lengths[0], lengths[0]
    others = sorted(range(1, len(lengths)), key=lambda at: (abs(lengths[at] - lengths[0]), at))
    for at in others[: most - 1]:
        total_then, longest_then = total + lengths[at], max(longest, lengths[at])
        padded = longest_then * (len(group) + 1)
        if padded > most_tokens or padded - total_then > max(_FREE_PADDING, padded // 5):
            break
        group.append(at)
        total, longest = total_then, longest_then
    return sorted(group)
