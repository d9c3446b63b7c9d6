"""The text engine: any causal language model that transformers can load, several texts at once.

Imports torch and transformers: only a worker process imports this module.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from transformers import DynamicCache

from failsoft.gpu.engine import Step
from failsoft.gpu.loading.model_source import ModelSource
from failsoft.gpu.memory.device_memory import free_cache
from failsoft.gpu.memory.room import MAX_MEMORY_SHARE
from failsoft.gpu.serving.batch_room import BatchRoom
from failsoft.gpu.text.batch import TextBatch
from failsoft.gpu.text.chat import encode_prompt, encode_text
from failsoft.gpu.text.grammar import GrammarCompiler
from failsoft.gpu.text.incremental_text import IncrementalText
from failsoft.gpu.text.loading import load_text_model
from failsoft.gpu.text.logprobs import Logprobs
from failsoft.gpu.text.padded_rows import can_join_rows
from failsoft.gpu.text.row import TextRow
from failsoft.gpu.text.sampling import Sampler
from failsoft.gpu.text.stop_strings import StopStrings
from failsoft.gpu.text.token_bytes import TokenBytes
from failsoft.gpu.text.worker import MAX_BATCH
from failsoft.messages.answered import Answered
from failsoft.messages.errors import ContextLengthExceeded, ModelLoadingFailed
from failsoft.messages.request import GenerateText
from failsoft.messages.validation import validate_text

# Tokenizers that know no length say so with a huge one.
_NO_LENGTH_FROM = 1_000_000


class TextEngine:
    """Generate text with a causal language model, one token of each text a step.

    model: a hub id, a folder, a path that ends in ``.gguf``, or ``failsoft:tiny-text``, which lies
        in the package. A folder is never looked up on the hub.
    gguf_file: the name of the GGUF file in the folder or hub repository.
    dtype: ``float32``, ``bfloat16``, ``float16``, or ``auto``: float32 on a CPU, else the one
        that the weights are stored in.
    device: ``cpu``, ``cuda``, ``cuda:N``, ``mps``, or ``auto``: a GPU where there is one.
    max_memory_share: of the memory of the device, or of the machine on a CPU, that may be in use,
        by whomever. A model that would take more isn't loaded, and above it no text is begun.
    max_tokens_limit: the most tokens an answer has, whatever the request asks for.
    context_length: the most tokens of prompt and answer together, where the model's own bound
        is too much for the device.
    max_batch: texts at once. Models whose memory of a text isn't keys and values alone (Mamba and
        its like) do one at a time.
    max_batch_tokens: of all texts at once, prompts and ``max_tokens``, each counted as long as
        the longest; a text alone may have more. It bounds the memory that a batch takes.
    batch_delay: in seconds, how long an idle engine waits for more texts after the first.
    continuous: texts join those under way between two tokens, instead of the next batch.
    prompt_chunk: tokens of prompts that are read in one step, and between two tokens of others.
    prefix_tokens: tokens of prompts whose keys and values are kept, so that of a prompt that
        begins the same way, by 64 tokens or more, only the rest is read. 0 keeps none, as do
        models that do one text at a time. After memory ran out nothing is kept any more.
    """

    requests: ClassVar[tuple[type, ...]] = (GenerateText,)

    def __init__(
        self,
        model: str,
        *,
        gguf_file: str | None = None,
        dtype: str = "auto",
        device: str = "auto",
        max_memory_share: float = MAX_MEMORY_SHARE,
        max_tokens_limit: int | None = None,
        context_length: int | None = None,
        max_batch: int = MAX_BATCH,
        max_batch_tokens: int = 32_768,
        batch_delay: float = 0.002,
        continuous: bool = True,
        prompt_chunk: int = 1024,
        prefix_tokens: int = 4096,
    ) -> None:
        self._source = ModelSource(model, gguf_file, dtype, device, max_memory_share)
        self.max_memory_share = max_memory_share
        self._max_tokens_limit = sys.maxsize if max_tokens_limit is None else max_tokens_limit
        self._asked_context_length = context_length
        self.max_batch = max_batch
        self._max_batch_tokens = max_batch_tokens
        self.batch_delay = batch_delay
        self._is_continuous = continuous
        self._prompt_chunk = prompt_chunk
        self._prefix_tokens = prefix_tokens
        self._context_length = 0
        self._end_tokens: frozenset[int] = frozenset()
        self._model: Any = None
        self._tokenizer: Any = None
        self._token_bytes: TokenBytes | None = None
        self._grammars: GrammarCompiler | None = None
        self._batch: TextBatch | None = None
        self._offered: TextRow | None = None

    def __repr__(self) -> str:
        state = "loaded" if self._model is not None else "not loaded"
        return f"<TextEngine {self._source.name} {state} {self._batch or ''}>"

    def load(self, progress: Callable[[int, int], None]) -> dict[str, Any]:
        """Load the model; give what it is. ``progress`` gets bytes done and in all.

        Raises ModelLoadingFailed.
        """
        self._check_options()
        self._model, self._tokenizer = load_text_model(self._source, progress)
        self._end_tokens = _end_tokens(self._model, self._tokenizer)
        self._context_length = min(
            _own_context_length(self._model, self._tokenizer),
            self._asked_context_length or sys.maxsize,
        )
        self._token_bytes = TokenBytes(self._tokenizer)
        self._grammars = GrammarCompiler(
            self._tokenizer, self._model.config.get_text_config().vocab_size, self._end_tokens
        )
        self._batch = self._new_batch()
        return {
            "model": self._source.name,
            "device": str(self._model.device),
            "dtype": str(self._model.dtype).removeprefix("torch."),
            "context_length": self._context_length,
            "parameters": self._model.num_parameters(),
            "chat": bool(self._tokenizer.chat_template),
        }

    def warm_up(self) -> None:
        """Read a short prompt and make a token or two, for nobody and in a batch of its own.

        What a first pass costs once, memory and kernels made ready, is paid then.
        """
        batch = self._new_batch()
        batch.add(self._row_of(0, GenerateText("Hello", max_tokens=2, seed=0)))
        while batch.rows:
            for step in batch.step():
                if step.error is not None:
                    raise step.error

    def begin(self, id: int, request: GenerateText) -> bool:
        """Take a text in; False where it must wait.

        Raises InvalidInput and ContextLengthExceeded before the device is touched.
        """
        batch = self._loaded_batch()
        row = self._offered
        if row is None or row.id != id:
            row = self._row_of(id, request)
        is_in = batch.has_room(row)
        self._offered = None if is_in else row
        if is_in:
            batch.add(row)
        return is_in

    def step(self) -> Sequence[Step]:
        """Make one pass through the model: a token of each text, or a part of prompts."""
        return self._loaded_batch().step()

    def recover(self, error: BaseException) -> Sequence[Step]:
        """Go on with less after a failed step; see ``TextBatch.recover``."""
        return self._loaded_batch().recover(error)

    def drop(self, id: int) -> None:
        """Work no more on a text."""
        if self._offered is not None and self._offered.id == id:
            self._offered = None
        self._loaded_batch().drop(id)

    def unload(self) -> None:
        """Let go of the model and its memory."""
        self._model = self._tokenizer = self._token_bytes = self._grammars = None
        self._batch = self._offered = None
        free_cache()

    def _check_options(self) -> None:
        for name, bound in (
            ("max_tokens_limit", self._max_tokens_limit),
            ("context_length", self._asked_context_length),
            ("max_batch", self.max_batch),
            ("max_batch_tokens", self._max_batch_tokens),
            ("prompt_chunk", self._prompt_chunk),
        ):
            if bound is not None and bound < 1:
                raise ModelLoadingFailed(f"{name} must be at least 1; it is {bound}.")
        if self._prefix_tokens < 0:
            raise ModelLoadingFailed(
                f"prefix_tokens must be at least 0; it is {self._prefix_tokens}."
            )
        if not 0 <= self.batch_delay <= 1:
            raise ModelLoadingFailed(
                f"batch_delay must be from 0 to 1 s; it is {self.batch_delay}."
            )

    def _new_batch(self) -> TextBatch:
        new_cache: Callable[[], DynamicCache] = DynamicCache
        prefix_tokens = self._prefix_tokens
        if self.max_batch == 1 or not can_join_rows(self._model):
            self.max_batch, prefix_tokens = 1, 0
            new_cache = functools.partial(DynamicCache, config=self._model.config)
        return TextBatch(
            self._model,
            BatchRoom(self.max_batch, self._max_batch_tokens),
            new_cache,
            is_continuous=self._is_continuous,
            prompt_chunk=self._prompt_chunk,
            prefix_tokens=prefix_tokens,
        )

    def _loaded_batch(self) -> TextBatch:
        if self._batch is None:
            raise RuntimeError("the engine is not loaded; call load() first")
        return self._batch

    def _row_of(self, id: int, request: GenerateText) -> TextRow:
        request = validate_text(request, max_characters=sys.maxsize)
        prompt = encode_prompt(self._tokenizer, request.prompt)
        row = self._new_row(id, request, prompt)
        if request.answered is not None:
            row = self._gone_on(row, request, request.answered, prompt)
            self._room_after(row.tokens)
        return row

    def _gone_on(
        self, row: TextRow, request: GenerateText, answered: Answered, prompt: list[int]
    ) -> TextRow:
        """Have an answer go on that another worker has begun."""
        vocabulary = self._model.config.get_text_config().vocab_size
        if all(0 <= token < vocabulary for token in answered.token_ids):
            if request.seed is not None:
                row.sampler.skip(len(answered.token_ids), vocabulary)
            row.go_on_after(answered.token_ids)
            if row.shown_text == answered.text:
                return row
        # Another model's tokens: it is the text that is gone on with.
        row = self._new_row(row.id, request, prompt)
        row.go_on_after(encode_text(self._tokenizer, answered.text), is_all_shown=True)
        return row

    def _new_row(self, id: int, request: GenerateText, prompt: list[int]) -> TextRow:
        assert self._grammars is not None
        assert self._token_bytes is not None
        return TextRow(
            id,
            prompt,
            sampler=Sampler(
                request.temperature,
                request.top_p,
                request.seed,
                self._model.device,
                frequency_penalty=request.frequency_penalty,
                presence_penalty=request.presence_penalty,
            ),
            decoder=IncrementalText(self._tokenizer),
            stops=StopStrings(request.stop),
            end_tokens=self._end_tokens,
            max_tokens=min(request.max_tokens, self._max_tokens_limit, self._room_after(prompt)),
            logprobs=(
                Logprobs(request.top_logprobs, self._token_bytes) if request.logprobs else None
            ),
            grammar=self._grammars.compile(request.response_format),
            batch_divisor=request.batch_divisor,
        )

    def _room_after(self, prompt: list[int]) -> int:
        """Give how many tokens fit after ``prompt``, at least 1, else raise."""
        room = self._context_length - len(prompt)
        if room < 1:
            raise ContextLengthExceeded.of(len(prompt), self._context_length - 1)
        return room


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
