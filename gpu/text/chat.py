"""Encode prompts: plain text, or a chat through the model's template.

Control tokens (``<|im_start|>`` and the like) come from the template alone. Written by a caller,
they are read as the characters they are, so that nobody can forge a turn of the chat.
"""

from __future__ import annotations

import re
from typing import Any

from failsoft.messages.errors import InvalidInput
from failsoft.messages.request import ChatMessage

# Private-use characters: no template, and no tokenizer's control token, has them.
_STAND_IN = "\ue0f0{}\ue0f1"
_STAND_IN_PATTERN = re.compile("\ue0f0(\\d+)\ue0f1")


def encode_prompt(tokenizer: Any, prompt: str | tuple[ChatMessage, ...]) -> list[int]:
    """Give the tokens of ``prompt``, with the start of the answer where it is a chat.

    Raises InvalidInput where the model has no chat template, or its template refuses the turns.
    """
    if isinstance(prompt, str):
        return _as_text(tokenizer, prompt, add_special_tokens=True)
    if not tokenizer.chat_template:
        raise InvalidInput.in_fields(
            {"prompt": "must be plain text: this model has no chat template"}
        )
    if not any(_holds_control_token(tokenizer, turn.content) for turn in prompt):
        rendered = _render(tokenizer, prompt, [turn.content for turn in prompt])
        return _ids(tokenizer(rendered, add_special_tokens=False, split_special_tokens=False))
    return _encode_apart(tokenizer, prompt)


def _encode_apart(tokenizer: Any, prompt: tuple[ChatMessage, ...]) -> list[int]:
    """Encode the template and the contents each for itself, so that only the first has controls.

    Done only where it is needed: tokens that would span the border of the two are lost.
    """
    stand_ins = [_STAND_IN.format(number) for number in range(len(prompt))]
    parts = _STAND_IN_PATTERN.split(_render(tokenizer, prompt, stand_ins))
    if sorted(map(int, parts[1::2])) != list(range(len(prompt))):
        raise InvalidInput.in_fields(
            {"prompt": "must not hold the model's control tokens: its template can't quote them"}
        )
    tokens: list[int] = []
    for position, part in enumerate(parts):
        if position % 2:
            content = prompt[int(part)].content
            tokens += _as_text(tokenizer, content, add_special_tokens=False)
        elif part:
            encoded = tokenizer(part, add_special_tokens=False, split_special_tokens=False)
            tokens += _ids(encoded)
    return tokens


def _render(tokenizer: Any, prompt: tuple[ChatMessage, ...], contents: list[str]) -> str:
    from jinja2.exceptions import TemplateError

    turns = [
        {"role": turn.role, "content": content}
        for turn, content in zip(prompt, contents, strict=True)
    ]
    try:
        rendered: str = tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=True
        )
    except TemplateError as error:
        raise InvalidInput.in_fields(
            {"prompt": f"is refused by the model's chat template: {error}"}
        ) from error
    return rendered


def encode_text(tokenizer: Any, text: str) -> list[int]:
    """Give the tokens of a piece of text from the midst of something."""
    return _as_text(tokenizer, text, add_special_tokens=False)


def _as_text(tokenizer: Any, text: str, *, add_special_tokens: bool) -> list[int]:
    return _ids(tokenizer(text, add_special_tokens=add_special_tokens, split_special_tokens=True))


def _ids(encoded: Any) -> list[int]:
    return list(encoded["input_ids"])


def _holds_control_token(tokenizer: Any, text: str) -> bool:
    return any(
        token.special and token.content in text for token in tokenizer.added_tokens_decoder.values()
    )
