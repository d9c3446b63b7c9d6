"""SmolLM2 by hand: transformers' model, and a loop that makes a token of each text in turn.

It is what one writes who streams and batches, since ``generate`` streams but one text. torch is
imported where the model is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

THREADS = 1


class Piece(msgspec.Struct, frozen=True):
    """Be one token's text. finish: why the text ends with it; None where it goes on."""

    text: str
    finish: str | None = None


class SmolLM2:
    """Answer greedily, in float32, all of a batch at once, padded on the left."""

    def __init__(self) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        from failsoft.service.smollm2 import ensure_smollm2

        torch.set_num_threads(THREADS)
        folder = ensure_smollm2()
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, padding_side="left")
        self._model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        self._ends = {self._tokenizer.eos_token_id}
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token

    def answer(self, prompts: Sequence[str], max_tokens: int) -> list[str]:
        """Give whole texts."""
        texts = [""] * len(prompts)
        for pieces in self.streams(prompts, [max_tokens] * len(prompts)):
            texts = [
                text + (piece.text if piece else "")
                for text, piece in zip(texts, pieces, strict=True)
            ]
        return texts

    def stream(self, prompt: str, max_tokens: int) -> Iterator[str]:
        """Give one text token by token."""
        for (piece,) in self.streams([prompt], [max_tokens]):
            assert piece is not None
            yield piece.text

    def streams(
        self, prompts: Sequence[str], limits: Sequence[int]
    ) -> Iterator[list[Piece | None]]:
        """Give a token of each text at a time; None of those that have ended."""
        import torch
        from tokenizers.decoders import DecodeStream
        from transformers import DynamicCache

        given = self._tokenizer(list(prompts), padding=True, return_tensors="pt")
        tokens, mask = given["input_ids"], given["attention_mask"]
        places = (mask.cumsum(-1) - 1).clamp(min=0)
        decoders = [DecodeStream([], skip_special_tokens=True) for _ in prompts]
        cache, made = DynamicCache(config=self._model.config), 0
        has_ended = [False] * len(prompts)
        while not all(has_ended):
            with torch.inference_mode():
                scores = self._model(
                    input_ids=tokens,
                    attention_mask=mask,
                    position_ids=places,
                    past_key_values=cache,
                    logits_to_keep=1,
                ).logits
                tokens = scores[:, -1].argmax(-1, keepdim=True)
                mask = torch.nn.functional.pad(mask, (0, 1), value=1)
                places = places[:, -1:] + 1
            made += 1
            pieces: list[Piece | None] = [None] * len(prompts)
            for row, token in enumerate(tokens[:, 0].tolist()):
                if has_ended[row]:
                    continue
                text = decoders[row].step(self._tokenizer._tokenizer, token) or ""
                finish = self._finish(token, made, limits[row])
                has_ended[row] = finish is not None
                pieces[row] = Piece(text, finish)
            yield pieces

    def _finish(self, token: int, made: int, limit: int) -> str | None:
        if token in self._ends:
            return "stop"
        return "length" if made >= limit else None
