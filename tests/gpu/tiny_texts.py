"""Tiny language models made up at random, and rows of tokens for them: no tokenizer, no files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

from failsoft.gpu.serving.batch_room import BatchRoom
from failsoft.gpu.text.batch import TextBatch
from failsoft.gpu.text.incremental_text import IncrementalText
from failsoft.gpu.text.row import TextRow
from failsoft.gpu.text.sampling import Sampler
from failsoft.gpu.text.stop_strings import StopStrings
from failsoft.messages.reply import TextReply

VOCABULARY = 64
_SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.5,  # far-apart scores; see ``_ready``
}


class Letters:
    """Decode a token as a letter of its own."""

    def decode(self, token_ids: list[int], **_: bool) -> str:
        return "".join(chr(ord("0") + token) for token in token_ids)


def tiny_llama() -> Any:
    torch.manual_seed(0)
    return _ready(LlamaForCausalLM(LlamaConfig(**_SIZES)))


def tiny_mistral(window: int) -> Any:
    """Give a model whose tokens see ``window`` tokens."""
    torch.manual_seed(0)
    return _ready(MistralForCausalLM(MistralConfig(**_SIZES, sliding_window=window)))


def tiny_gpt2() -> Any:
    """Give a model with learnt positions."""
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, initializer_range=0.5
    )
    return _ready(GPT2LMHeadModel(config))


def _ready(model: Any) -> Any:
    """Have it compute in float64: in float32 rounding decides for one token in some 100,000."""
    return model.eval().double()


class Faulty:
    """Be ``model``, but call ``before`` with the tokens of each pass, shape (rows, n)."""

    def __init__(self, model: Any, before: Callable[[torch.Tensor], None]) -> None:
        self._model = model
        self._before = before
        self.forward = model.forward
        self.device = model.device

    def __call__(self, **options: Any) -> Any:
        self._before(options["input_ids"])
        return self._model(**options)


def batch_of(
    model: Any, *, most: int = 16, most_tokens: int = 100_000, **options: Any
) -> TextBatch:
    return TextBatch(model, BatchRoom(most, most_tokens), **options)


def row(id: int, prompt: list[int], max_tokens: int, **sampling: Any) -> TextRow:
    return TextRow(
        id,
        prompt,
        sampler=Sampler(
            sampling.pop("temperature", 0.0),
            sampling.pop("top_p", 1.0),
            sampling.pop("seed", 0),
            torch.device("cpu"),
            **sampling,
        ),
        decoder=IncrementalText(Letters()),
        stops=StopStrings(()),
        end_tokens=frozenset(),
        max_tokens=max_tokens,
    )


def finish(batch: TextBatch, *, most_steps: int = 300) -> dict[int, TextReply | BaseException]:
    """Step until nothing is left, recovering as a worker does; give each row's end."""
    ends: dict[int, TextReply | BaseException] = {}
    for _ in range(most_steps):
        if not batch.rows:
            return ends
        try:
            steps = batch.step()
        except RuntimeError as error:
            steps = batch.recover(error)
        for step in steps:
            if step.is_last:
                assert step.id not in ends
                ends[step.id] = step.reply if step.error is None else step.error
    raise AssertionError(f"{batch!r} never ends")


def alone(model: Any, prompt: list[int], max_tokens: int) -> str:
    """Give the greedy text that follows ``prompt``, each token from a pass over all before it."""
    tokens = list(prompt)
    with torch.inference_mode():
        for _ in range(max_tokens):
            scores = model(input_ids=torch.tensor([tokens])).logits[0, -1]
            tokens.append(int(scores.argmax()))
    return Letters().decode(tokens[len(prompt) :])
