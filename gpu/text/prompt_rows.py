"""Rows of prompts that a language model reads together, some columns a step.

Imports torch and transformers: only a worker process imports this module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from failsoft.gpu.text.padded_rows import PaddedRows
from failsoft.gpu.text.prefix_cache import Prefix
from failsoft.gpu.text.row import TextRow

# The keys and values of one prompt's tokens, each (1, heads, tokens, size), by the layer's number.
Kept = dict[int, tuple[Tensor, Tensor]]


class PromptRows(PaddedRows):
    """Read prompts, from where none of them is known any more to their ends.

    known: what is known of each prompt: keys and values that needn't be computed.
    """

    def __init__(
        self,
        model: Any,
        new_cache: Callable[[], DynamicCache],
        rows: Sequence[TextRow],
        known: Sequence[Prefix[Kept]],
    ) -> None:
        super().__init__(model, new_cache)
        longest = max(len(row.tokens) for row in rows)
        self.start(rows, [longest - len(row.tokens) for row in rows])
        # All rows are read in the same columns, so the one of which least is known decides.
        unread = max(
            len(row.tokens) - prefix.length for row, prefix in zip(rows, known, strict=True)
        )
        self._begin_at(longest - unread, [prefix.kept for prefix in known])

    @property
    def is_read(self) -> bool:
        return self._columns == self._width

    @property
    def _width(self) -> int:
        """Give the columns that the prompts have, with their padding."""
        return self._padding[0] + len(self.rows[0].tokens)

    def read(self, most_tokens: int) -> tuple[Tensor, int]:
        """Run at most ``most_tokens`` more, with padding, but at least a column.

        Give the scores after them, (rows, vocabulary), and how many tokens were run.
        """
        start = self._columns
        end = min(self._width, start + max(1, most_tokens // len(self.rows)))
        tokens = [
            ([0] * padded + row.tokens)[start:end]
            for row, padded in zip(self.rows, self._padding, strict=True)
        ]
        return self.forward(tokens), (end - start) * len(self.rows)

    def kept(self, at: int, tokens: int) -> Kept:
        """Give a copy of the keys and values of the first ``tokens`` of the row at ``at``."""
        row, columns = slice(at, at + 1), slice(self._padding[at], self._padding[at] + tokens)
        layers: list[Any] = self._cache.layers
        return {
            number: (layer.keys[row, :, columns].clone(), layer.values[row, :, columns].clone())
            for number, layer in enumerate(layers)
            if layer.is_initialized
        }

    @torch.inference_mode()
    def _begin_at(self, columns: int, kept: Sequence[Kept | None]) -> None:
        """Have the first ``columns`` be filled with what is kept of the rows' tokens."""
        some = next((each for each in kept if each is not None), None)
        if not columns or some is None:
            return
        for number in some:
            keys, values = (
                self._filled(
                    [None if each is None else each[number][part] for each in kept], columns
                )
                for part in (0, 1)
            )
            self._cache.update(keys, values, number)
        self._columns = columns
        for row, padded in zip(self.rows, self._padding, strict=True):
            row.cached_tokens = max(0, columns - padded)

    def _filled(self, kept: Sequence[Tensor | None], columns: int) -> Tensor:
        """Put what is kept of the rows one below the other, right of their padding."""
        like = next(each for each in kept if each is not None)
        _, heads, _, size = like.shape
        filled = like.new_zeros(len(kept), heads, columns, size)
        for at, (padded, each) in enumerate(zip(self._padding, kept, strict=True)):
            if each is not None and padded < columns:
                filled[at, :, padded:] = each[0, :, : columns - padded]
        return filled
