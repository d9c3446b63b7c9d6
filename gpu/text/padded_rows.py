"""Rows of tokens that a language model works on together, padded on the left to one length.

Imports torch and transformers: only a worker process imports this module.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import DynamicCache

from failsoft.gpu.text.row import TextRow

# Layers whose keys and values lie in columns, one a token, so that rows can be padded and joined.
_JOINABLE = frozenset({"full_attention", "sliding_attention"})


class PaddedRows:
    """Hold rows, and the keys and values of their tokens so far, in columns that end together.

    A column stands for one token of each row; the first few of a shorter row are padding. They
    are masked, and positions are counted from a row's own first token, so that what a row says
    doesn't depend on its neighbours.
    """

    def __init__(self, model: Any, new_cache: Callable[[], DynamicCache]) -> None:
        self.rows: list[TextRow] = []
        self._model = model
        self._new_cache = new_cache
        self._cache = new_cache()
        self._padding: list[int] = []
        self._columns = 0
        self._takes_positions = "position_ids" in inspect.signature(model.forward).parameters

    def __repr__(self) -> str:
        return f"<PaddedRows {len(self.rows)} x {self._columns}>"

    @torch.inference_mode()
    def forward(self, tokens: Sequence[Sequence[int]]) -> Tensor:
        """Run the next tokens of each row; give the scores after the last, (rows, vocabulary)."""
        ids = torch.tensor(tokens, device=self._model.device)
        output = self._model(
            input_ids=ids,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
            **self._padding_told(ids.shape[1]),
        )
        self._columns += ids.shape[1]
        scores: Tensor = output.logits[:, -1]
        return scores

    def start(self, rows: Sequence[TextRow], padding: Sequence[int]) -> None:
        """Begin with ``rows``, of whose tokens none was run yet."""
        self.rows, self._padding = list(rows), list(padding)

    @torch.inference_mode()
    def keep(self, positions: Sequence[int]) -> None:
        """Keep the rows at ``positions``, and of the columns read those that aren't all padding."""
        if len(positions) == len(self.rows):
            return
        self.rows = [self.rows[at] for at in positions]
        if not self.rows:
            self.clear()
            return
        padding = [self._padding[at] for at in positions]
        spare = min(*padding, self._columns)
        for layer in self._layers():
            chosen = torch.tensor(positions, device=layer.keys.device)
            layer.keys = layer.keys[:, :, spare:].index_select(0, chosen)
            layer.values = layer.values[:, :, spare:].index_select(0, chosen)
        self._padding = [columns - spare for columns in padding]
        self._columns -= spare

    @torch.inference_mode()
    def join(self, other: PaddedRows) -> None:
        """Take in the rows of ``other``, which is of no more use then."""
        if not self.rows:
            self.rows, self._padding = other.rows, other._padding
            self._cache, self._columns = other._cache, other._columns
            return
        columns = max(self._columns, other._columns)
        mine, theirs = columns - self._columns, columns - other._columns
        for layer, joining in zip(self._layers(), other._layers(), strict=True):
            layer.keys = _joined(layer.keys, mine, joining.keys, theirs)
            layer.values = _joined(layer.values, mine, joining.values, theirs)
        self.rows += other.rows
        self._padding = [padded + mine for padded in self._padding]
        self._padding += [padded + theirs for padded in other._padding]
        self._columns = columns

    def clear(self) -> None:
        """Let go of all rows and of their memory."""
        self.rows, self._padding, self._columns = [], [], 0
        self._cache = self._new_cache()

    def _layers(self) -> list[Any]:
        """Give the cache's layers that hold something: some models share one among several."""
        layers: list[Any] = self._cache.layers
        return [layer for layer in layers if layer.is_initialized]

    def _padding_told(self, tokens: int) -> dict[str, Tensor]:
        """Give the model's arguments that tell of padding; none where there is none.

        Without a mask attention goes its fast way, and a row alone costs what it costs alone.
        """
        if not any(self._padding):
            return {}
        device = self._model.device
        padding = torch.tensor(self._padding, device=device)[:, None]
        columns = torch.arange(self._columns + tokens, device=device)[None, :]
        told = {"attention_mask": (columns >= padding).long()}
        if self._takes_positions:
            told["position_ids"] = (columns[:, self._columns :] - padding).clamp(min=0)
        return told


def can_join_rows(model: Any) -> bool:
    """Tell whether rows of this model's keys and values can be padded and put together."""
    config = model.config.get_text_config()
    kinds = getattr(config, "layer_types", None) or ["full_attention"]
    if not _JOINABLE.issuperset(kinds):
        return False
    parameters = inspect.signature(model.forward).parameters
    # A model that keeps state of another kind makes layers of another kind for it.
    layers = DynamicCache(config=model.config).layers
    return "attention_mask" in parameters and all(hasattr(layer, "keys") for layer in layers)


def _joined(mine: Tensor, my_padding: int, theirs: Tensor, their_padding: int) -> Tensor:
    """Put two (rows, heads, columns, size) one below the other, padded on the left."""
    return torch.cat([pad(mine, (0, 0, my_padding, 0)), pad(theirs, (0, 0, their_padding, 0))])
