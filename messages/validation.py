"""Validation of what callers send: bounds and cleaning, with errors in words."""

from __future__ import annotations

import math

import msgspec

from failsoft.messages.errors import InvalidInput
from failsoft.messages.request import ChatMessage, GenerateText
from failsoft.messages.response_format import check_format

MAX_TEXT_CHARACTERS = 10_000
MAX_TOKENS = 32_768
MAX_STOP_STRINGS = 4
MAX_CHAT_MESSAGES = 256
MAX_TOP_LOGPROBS = 20
# Of a whole answer, so that it fits in a frame of the worker's wire: each has about 100 bytes.
MAX_LOGPROBS = 131_072

# Every C0 control character and DEL, but newline, carriage return and tab.
_CONTROL = {code: None for code in (*range(32), 127) if chr(code) not in "\n\r\t"}


def clean_text(text: str) -> str:
    """Take NUL and control characters other than newline, carriage return and tab out."""
    return text.translate(_CONTROL)


def validate_text(request: GenerateText, max_characters: int = MAX_TEXT_CHARACTERS) -> GenerateText:
    """Give the request with its text cleaned. Raise InvalidInput with all its field errors."""
    errors: dict[str, str] = {}
    prompt = _check_prompt(request.prompt, max_characters, errors)
    _check_sampling(request, errors)
    _check_logprobs(request, errors)
    check_format(request.response_format, errors)
    if errors:
        raise InvalidInput.in_fields(errors)
    return request if prompt == request.prompt else msgspec.structs.replace(request, prompt=prompt)


def _check_prompt(
    prompt: str | tuple[ChatMessage, ...], max_characters: int, errors: dict[str, str]
) -> str | tuple[ChatMessage, ...]:
    if isinstance(prompt, str):
        cleaned = clean_text(prompt)
        check_text(cleaned, "prompt", max_characters, errors)
        return cleaned
    if not prompt:
        errors["prompt"] = "must hold at least one chat message"
    if len(prompt) > MAX_CHAT_MESSAGES:
        errors["prompt"] = f"must hold at most {MAX_CHAT_MESSAGES} chat messages"
        return prompt
    turns = tuple(
        msgspec.structs.replace(turn, content=clean_text(turn.content)) for turn in prompt
    )
    for number, turn in enumerate(turns):
        check_text(turn.content, f"prompt[{number}].content", max_characters, errors)
    if sum(len(turn.content) for turn in turns) > max_characters:
        errors.setdefault("prompt", f"must have at most {max_characters} characters in all")
    return turns


def check_text(text: str, path: str, max_characters: int, errors: dict[str, str]) -> None:
    if not text.strip():
        errors[path] = "must not be empty"
    elif len(text) > max_characters:
        errors[path] = f"must have at most {max_characters} characters; it has {len(text)}"
    elif not _is_encodable(text):
        errors[path] = "must be valid Unicode (it holds a lone surrogate)"


def _check_sampling(request: GenerateText, errors: dict[str, str]) -> None:
    if not 1 <= request.max_tokens <= MAX_TOKENS:
        errors["max_tokens"] = f"must be from 1 to {MAX_TOKENS}; it is {request.max_tokens}"
    if not (math.isfinite(request.temperature) and 0 <= request.temperature <= 2):
        errors["temperature"] = f"must be from 0 to 2; it is {request.temperature}"
    if not 0 < request.top_p <= 1:
        errors["top_p"] = f"must be over 0 and at most 1; it is {request.top_p}"
    for name in ("frequency_penalty", "presence_penalty"):
        penalty: float = getattr(request, name)
        if not -2 <= penalty <= 2:
            errors[name] = f"must be from -2 to 2; it is {penalty}"
    if len(request.stop) > MAX_STOP_STRINGS or not all(request.stop):
        errors["stop"] = f"must be at most {MAX_STOP_STRINGS} strings, none of them empty"
    if request.seed is not None and not -(2**63) <= request.seed < 2**63:
        errors["seed"] = "must fit in 64 bits"
    if not (math.isfinite(request.batch_divisor) and request.batch_divisor >= 1):
        errors["batch_divisor"] = f"must be at least 1; it is {request.batch_divisor}"


def _check_logprobs(request: GenerateText, errors: dict[str, str]) -> None:
    top = request.top_logprobs
    if not 0 <= top <= MAX_TOP_LOGPROBS:
        errors["top_logprobs"] = f"must be from 0 to {MAX_TOP_LOGPROBS}; it is {top}"
    elif top and not request.logprobs:
        errors["top_logprobs"] = "needs logprobs to be true"
    elif request.logprobs and request.max_tokens * (1 + top) > MAX_LOGPROBS:
        errors["max_tokens"] = (
            f"must be at most {MAX_LOGPROBS // (1 + top)} with {top} top_logprobs; "
            f"it is {request.max_tokens}"
        )


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
