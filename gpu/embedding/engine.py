"""The embedding engine: any encoder that transformers can load, mean pooled and normalised.

Imports torch and transformers: only a worker process imports this module.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from typing import Any, ClassVar

import torch

from failsoft.gpu.embedding.batches import batches
from failsoft.gpu.embedding.loading import load_encoder, own_length
from failsoft.gpu.loading.model_source import ModelSource
from failsoft.gpu.memory.device_memory import free_cache
from failsoft.gpu.memory.room import MAX_MEMORY_SHARE
from failsoft.gpu.serving.classify import classify
from failsoft.messages.embedding import Embed, EmbeddingReply, validate_embed
from failsoft.messages.errors import (
    ContextLengthExceeded,
    InvalidInput,
    ModelLoadingFailed,
    OutOfMemory,
)
from failsoft.messages.reply import Usage
from failsoft.messages.wire import MAX_FRAME_BYTES

# A number on the wire has 8 bytes and a mark; all that isn't numbers has this much room.
_NUMBER_BYTES = 9
_OTHER_BYTES = 65_536

Vector = tuple[float, ...]


class EmbeddingEngine:
    """Make vectors of texts, one batch a step: the mean of the last layer over all tokens.

    model: a hub id or a folder. A folder is never looked up on the hub.
    dtype: ``float32``, ``bfloat16``, ``float16``, or ``auto``: float32 on a CPU, else the one
        that the weights are stored in.
    device: ``cpu``, ``cuda``, ``cuda:N``, ``mps``, or ``auto``: a GPU where there is one.
    max_memory_share: of the memory of the device, or of the machine on a CPU, that may be in use,
        by whomever. A model that would take more isn't loaded, and above it no text is begun.
    context_length: the most tokens of a text, where the model's own bound is too much.
    batch_tokens: the most tokens of a batch, padding included. None: 512 on a CPU, where more
        is slower, and 16,384 elsewhere.
    """

    requests: ClassVar[tuple[type, ...]] = (Embed,)

    def __init__(
        self,
        model: str,
        *,
        dtype: str = "auto",
        device: str = "auto",
        max_memory_share: float = MAX_MEMORY_SHARE,
        context_length: int | None = None,
        batch_tokens: int | None = None,
    ) -> None:
        self._source = ModelSource(model, None, dtype, device, max_memory_share)
        self.max_memory_share = max_memory_share
        self._asked_context_length = context_length
        self._asked_batch_tokens = batch_tokens
        self._batch_tokens = 0
        self._context_length = 0
        self._dimensions = 0
        self._model: Any = None
        self._tokenizer: Any = None

    def __repr__(self) -> str:
        state = "loaded" if self._model is not None else "not loaded"
        return f"<EmbeddingEngine {self._source.name} {state}>"

    def load(self, progress: Callable[[int, int], None]) -> dict[str, Any]:
        """Load the model; give what it is. ``progress`` gets bytes done and in all.

        Raises ModelLoadingFailed.
        """
        for name, bound in (
            ("context_length", self._asked_context_length),
            ("batch_tokens", self._asked_batch_tokens),
        ):
            if bound is not None and bound < 1:
                raise ModelLoadingFailed(f"{name} must be at least 1; it is {bound}.")
        self._model, self._tokenizer = load_encoder(self._source, progress)
        self._context_length = min(
            own_length(self._model, self._tokenizer), self._asked_context_length or sys.maxsize
        )
        self._batch_tokens = self._asked_batch_tokens or _batch_tokens(self._model.device)
        self._dimensions = self._model.config.hidden_size
        return {
            "model": self._source.name,
            "device": str(self._model.device),
            "dtype": str(self._model.dtype).removeprefix("torch."),
            "context_length": self._context_length,
            "dimensions": self._dimensions,
            "parameters": self._model.num_parameters(),
        }

    def warm_up(self) -> None:
        """Embed a short text for nobody: what a first pass costs once is paid then."""
        for _ in self.generate(Embed(("Hello",))):
            pass

    def generate(self, request: Embed) -> Generator[None, None, EmbeddingReply]:
        """Answer ``request``: each step is one batch. The generator's return value is the reply.

        Closing it stops the work. A batch for which memory runs out is halved, once.

        Raises InvalidInput and ContextLengthExceeded at the first step, before any work.
        """
        request = validate_embed(request, max_characters=sys.maxsize)
        self._check_size(len(request.texts))
        # What is too long is refused, and never cut in silence.
        tokens = self._tokenizer(list(request.texts), truncation=False, padding=False)["input_ids"]
        lengths = [len(text) for text in tokens]
        self._check_lengths(lengths)
        vectors: list[Vector] = [()] * len(tokens)
        for batch in batches(lengths, self._batch_tokens):
            encoded = self._encode([tokens[position] for position in batch])
            for position, vector in zip(batch, encoded, strict=True):
                vectors[position] = vector
            yield None
        return EmbeddingReply(tuple(vectors), self._dimensions, Usage(sum(lengths), 0))

    def unload(self) -> None:
        """Let go of the model and its memory."""
        self._model = self._tokenizer = None
        free_cache()

    def _check_size(self, texts: int) -> None:
        most = (MAX_FRAME_BYTES - _OTHER_BYTES) // (_NUMBER_BYTES * self._dimensions)
        if texts > most:
            said = f"must hold at most {most} texts for this model; it holds {texts}"
            raise InvalidInput.in_fields({"texts": said})

    def _check_lengths(self, lengths: list[int]) -> None:
        longest = max(range(len(lengths)), key=lengths.__getitem__)
        if lengths[longest] > self._context_length:
            error = ContextLengthExceeded.of(lengths[longest], self._context_length)
            error.details["field"] = f"texts[{longest}]"
            raise error

    def _encode(self, texts: list[list[int]]) -> list[Vector]:
        """Give the vectors of a batch of tokens; where memory runs out, of its halves."""
        try:
            return self._forward(texts)
        except Exception as error:
            if len(texts) < 2 or not isinstance(classify(error)[0], OutOfMemory):
                raise
        # Out here, since the error holds on to what the failed try had allocated.
        free_cache()
        half = len(texts) // 2
        return self._forward(texts[:half]) + self._forward(texts[half:])

    @torch.inference_mode()
    def _forward(self, texts: list[list[int]]) -> list[Vector]:
        ids, mask = self._padded(texts)
        hidden = self._model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        weights = mask.unsqueeze(-1).float()
        means = (hidden * weights).sum(dim=1) / weights.sum(dim=1)
        vectors = torch.nn.functional.normalize(means, dim=1)
        return [tuple(vector) for vector in vectors.tolist()]

    def _padded(self, texts: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the tokens, padded on the right, and the mask of what is no padding."""
        longest = max(len(text) for text in texts)
        padding = self._tokenizer.pad_token_id or 0
        ids = torch.full((len(texts), longest), padding, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = torch.tensor(text)
            mask[row, : len(text)] = 1
        return ids.to(self._model.device), mask.to(self._model.device)


def _batch_tokens(device: torch.device) -> int:
    """Give the size of a batch that is fast on ``device``.

    Measured with all-MiniLM-L6-v2 in float32 on one CPU core, 200 texts of 4 to 60 words, in
    texts/s of that core's time: alone 67, in batches of 512 tokens 138, of 1,024 130, of 4,096 85,
    of 16,384 50; in batches of 64 texts as they came 54.
    """
    return 512 if device.type == "cpu" else 16_384
