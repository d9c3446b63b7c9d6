"""The tokenizer: pairs of bytes that stand together often, so that any text at all has tokens."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from training.text.corpus import Text

VOCABULARY = 1536
LONGEST = 1024
BEGIN, END, PAD = "<|begin|>", "<|end|>", "<|pad|>"
_ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
# Whoever speaks, and isn't the system or the assistant, is the one who asks.
_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "<|{{ message.role if message.role in ('system', 'assistant') else 'user' }}|>"
    "{{ message.content | trim }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@dataclass(frozen=True)
class Encoded:
    """Hold a text's tokens, and which of them are to be learned."""

    tokens: list[int]
    learned: list[bool]


def train_tokenizer(texts: Iterable[Text]) -> PreTrainedTokenizerFast:
    """Make the tokenizer from ``texts``."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, BEGIN, END, *_ROLES],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    turns = (turn for text in texts for turn in text.turns)
    tokenizer.train_from_iterator((f"{turn.ask} {turn.answer}" for turn in turns), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", special_tokens=[(BEGIN, tokenizer.token_to_id(BEGIN))]
    )
    wrap: Any = PreTrainedTokenizerFast  # untyped
    wrapped: PreTrainedTokenizerFast = wrap(
        tokenizer_object=tokenizer,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=list(_ROLES),
        model_max_length=LONGEST,
        chat_template=_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )
    return wrapped


def encode(tokenizer: PreTrainedTokenizerFast, text: Text) -> Encoded:
    """Give the tokens of ``text`` as the model will read and write them.

    Answers are learned, and so are questions that begin a plain text of the model's own world.
    """
    parts: list[tuple[str, bool]] = [(BEGIN, False)]
    if text.is_plain:
        (turn,) = text.turns
        parts += [(turn.ask, turn.exchange is not None), (f"{text.between}{turn.answer}", True)]
        parts.append((END, True))
    else:
        if text.system is not None:
            parts.append((f"<|system|>{text.system}{END}", False))
        for turn in text.turns:
            parts.append((f"<|user|>{turn.ask}{END}<|assistant|>", False))
            parts.append((f"{turn.answer}{END}", True))
    tokens: list[int] = []
    learned: list[bool] = []
    for part, is_learned in parts:
        ids = tokenizer(part, add_special_tokens=False)["input_ids"]
        tokens += ids
        learned += [is_learned] * len(ids)
    return Encoded(tokens[:LONGEST], learned[:LONGEST])
