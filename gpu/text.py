"""The text engine: any causal language model that transformers can load.

Imports torch and transformers: only a worker process imports this module.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Generator
from typing import Any, ClassVar

import torch

from failsoft.gpu.chat import encode_prompt
from failsoft.gpu.incremental_text import IncrementalText
from failsoft.gpu.sampling import Sampler
from failsoft.gpu.stop_strings import StopStrings
from failsoft.gpu.text_loading import TextModelSource, load_text_model
from failsoft.gpu.token_steps import token_steps
from failsoft.messages.errors import ContextLengthExceeded, ModelLoadingFailed
from failsoft.messages.reply import FinishReason, TextChunk, TextReply, Usage
from failsoft.messages.request import GenerateText
from failsoft.messages.validation import validate_text

# Tokenizers that know no length say so with a huge one.
_NO_LENGTH_FROM = 1_000_000


class TextEngine:
    """Generate text with a causal language model, one token a step.

    model: a hub id, a folder, or a path that ends in ``.gguf``. A folder is never looked up
        on the hub.
    gguf_file: the name of the GGUF file in the folder or hub repository.
    dtype: ``float32``, ``bfloat16``, ``float16``, or ``auto``: float32 on a CPU, else the one
        that the weights are stored in.
    device: ``cpu``, ``cuda``, ``cuda:N``, ``mps``, or ``auto``: a GPU where there is one.
    max_tokens_limit: the most tokens an answer has, whatever the request asks for.
    context_length: the most tokens of prompt and answer together, where the model's own bound
        is too much for the device.
    """

    requests: ClassVar[tuple[type, ...]] = (GenerateText,)

    def __init__(
        self,
        model: str,
        *,
        gguf_file: str | None = None,
        dtype: str = "auto",
        device: str = "auto",
        max_tokens_limit: int | None = None,
        context_length: int | None = None,
    ) -> None:
        self._source = TextModelSource(model, gguf_file, dtype, device)
        self._max_tokens_limit = sys.maxsize if max_tokens_limit is None else max_tokens_limit
        self._asked_context_length = context_length
        self._context_length = 0
        self._end_tokens: frozenset[int] = frozenset()
        self._model: Any = None
        self._tokenizer: Any = None

    def __repr__(self) -> str:
        state = "loaded" if self._model is not None else "not loaded"
        return f"<TextEngine {self._source.name} {state}>"

    def load(self, progress: Callable[[int, int], None]) -> dict[str, Any]:
        """Load the model; give what it is. ``progress`` gets bytes done and in all.

        Raises ModelLoadingFailed.
        """
        for name, bound in (
            ("max_tokens_limit", self._max_tokens_limit),
            ("context_length", self._asked_context_length),
        ):
            if bound is not None and bound < 1:
                raise ModelLoadingFailed(f"{name} must be at least 1; it is {bound}.")
        self._model, self._tokenizer = load_text_model(self._source, progress)
        self._end_tokens = _end_tokens(self._model, self._tokenizer)
        self._context_length = min(
            _own_context_length(self._model, self._tokenizer),
            self._asked_context_length or sys.maxsize,
        )
        return {
            "model": self._source.name,
            "device": str(self._model.device),
            "dtype": str(self._model.dtype).removeprefix("torch."),
            "context_length": self._context_length,
            "parameters": self._model.num_parameters(),
            "chat": bool(self._tokenizer.chat_template),
        }

    def generate(self, request: GenerateText) -> Generator[TextChunk | None, None, TextReply]:
        """Answer ``request``: each step makes one token, and gives a chunk where text shows.

        A step that reads a further part of a long prompt makes no token. The last chunk alone
        has the finish reason and the usage. The generator's return value is the TextReply.
        Closing it stops the work.

        Raises InvalidInput and ContextLengthExceeded at the first step, before any work.
        """
        request = validate_text(request, max_characters=sys.maxsize)
        prompt = encode_prompt(self._tokenizer, request.prompt)
        max_tokens = min(request.max_tokens, self._max_tokens_limit, self._room_after(prompt))
        sampler = Sampler(request.temperature, request.top_p, request.seed, self._model.device)
        answer = _Answer(
            IncrementalText(self._tokenizer),
            StopStrings(request.stop),
            self._end_tokens,
            max_tokens,
        )
        for token in token_steps(self._model, prompt, sampler):
            if token is None:
                yield None
                continue
            finish_reason = answer.add(token)
            if finish_reason is None:
                yield answer.take_chunk()
                continue
            usage = Usage(len(prompt), answer.tokens)
            yield answer.take_last_chunk(finish_reason, usage)
            return TextReply(answer.text, finish_reason, usage)
        raise AssertionError("token_steps never ends")

    def unload(self) -> None:
        """Let go of the model and its memory."""
        self._model = self._tokenizer = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _room_after(self, prompt: list[int]) -> int:
        """Give how many tokens fit after ``prompt``, at least 1, else raise."""
        room = self._context_length - len(prompt)
        if room < 1:
            raise ContextLengthExceeded.of(len(prompt), self._context_length - 1)
        return room


class _Answer:
    """Gather one answer: tokens in, visible text out, and the reason to finish."""

    def __init__(
        self,
        decoder: IncrementalText,
        stops: StopStrings,
        end_tokens: frozenset[int],
        max_tokens: int,
    ) -> None:
        self._decoder = decoder
        self._stops = stops
        self._end_tokens = end_tokens
        self._max_tokens = max_tokens
        self._pieces: list[str] = []
        self._fresh = ""
        self._tokens_taken = 0
        self.tokens = 0

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def add(self, token: int) -> FinishReason | None:
        """Take in one token; give the reason to finish, or None to go on."""
        self.tokens += 1
        at_end = token in self._end_tokens
        if not at_end:
            self._show(self._stops.feed(self._decoder.feed(token)))
        if self._stops.stopped:
            return "stop"
        if not at_end and self.tokens < self._max_tokens:
            return None
        self._show(self._stops.feed(self._decoder.flush()))
        self._show(self._stops.flush())
        return "stop" if at_end or self._stops.stopped else "length"

    def take_chunk(self) -> TextChunk | None:
        """Give what is new since the last chunk, or None where nothing shows."""
        if not self._fresh:
            return None
        return self._take(None, None)

    def take_last_chunk(self, finish_reason: FinishReason, usage: Usage) -> TextChunk:
        return self._take(finish_reason, usage)

    def _take(self, finish_reason: FinishReason | None, usage: Usage | None) -> TextChunk:
        text, self._fresh = self._fresh, ""
        tokens, self._tokens_taken = self.tokens - self._tokens_taken, self.tokens
        return TextChunk(text, tokens, finish_reason, usage)

    def _show(self, text: str) -> None:
        self._fresh += text
        self._pieces.append(text)


def _end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """Give the tokens that end an answer: the generation config's, else the tokenizer's."""
    named = model.generation_config.eos_token_id
    if named is None:
        named = tokenizer.eos_token_id
    if named is None:
        return frozenset()
    return frozenset(named if isinstance(named, list) else [named])


def _own_context_length(model: Any, tokenizer: Any) -> int:
    """Give the most tokens that the model was made for; sys.maxsize where it doesn't say."""
    config = model.config.get_text_config()
    for length in (getattr(config, "max_position_embeddings", None), tokenizer.model_max_length):
        if isinstance(length, int) and 0 < length < _NO_LENGTH_FROM:
            return length
    return sys.maxsize
