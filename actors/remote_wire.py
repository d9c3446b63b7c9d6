"""Between our messages and the bodies of the OpenAI API. Pure."""

from __future__ import annotations

import math
from typing import Any, Literal, TypeVar

import msgspec

from failsoft.actors.remote_errors import error_in_stream, failed
from failsoft.actors.remote_logprobs import Logprobs
from failsoft.actors.remote_spec import RemoteSpec
from failsoft.messages import (
    FinishReason,
    GenerateText,
    InvalidInput,
    TextChunk,
    TextReply,
    TokenLogprob,
    Usage,
)
from failsoft.messages.embedding import Embed, EmbeddingReply

_MAX_REASON = 40


class _Content(msgspec.Struct, frozen=True):
    content: str | None = None


class _Choice(msgspec.Struct, frozen=True):
    """Be a choice of a chat or of a completion, whole (``message``) or in part (``delta``)."""

    message: _Content | None = None
    delta: _Content | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: Logprobs | None = None

    def said(self, part: Literal["message", "delta", "text"]) -> str | None:
        found = getattr(self, part)
        return (found.content or "") if isinstance(found, _Content) else found

    def told(self) -> tuple[TokenLogprob, ...]:
        return () if self.logprobs is None else self.logprobs.told()


class _Tokens(msgspec.Struct, frozen=True):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Completion(msgspec.Struct, frozen=True):
    choices: tuple[_Choice, ...] = ()
    usage: _Tokens | None = None
    error: Any = None


class _Vector(msgspec.Struct, frozen=True):
    embedding: tuple[float, ...]
    index: int


class _Vectors(msgspec.Struct, frozen=True):
    data: tuple[_Vector, ...]
    usage: _Tokens | None = None


ContentT = TypeVar("ContentT")


def text_path(request: GenerateText) -> str:
    """Give the path for ``request``: chats and plain prompts have each their own."""
    return "/completions" if isinstance(request.prompt, str) else "/chat/completions"


def text_body(request: GenerateText, spec: RemoteSpec, *, stream: bool) -> bytes:
    """Encode ``request``. Raises InvalidInput where JSON can't hold it."""
    body: dict[str, Any] = {
        "model": spec.model,
        spec.max_tokens_field: request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
    }
    if isinstance(request.prompt, str):
        body["prompt"] = request.prompt
    else:
        body["messages"] = request.prompt
    if request.stop:
        body["stop"] = request.stop
    if request.seed is not None:
        body["seed"] = request.seed
    # Not every server knows them.
    for name in ("frequency_penalty", "presence_penalty"):
        if penalty := getattr(request, name):
            body[name] = penalty
    if request.response_format is not None:
        body["response_format"] = request.response_format
    if request.logprobs:
        body |= _logprobs_asked(request)
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return _encoded(body)


def _logprobs_asked(request: GenerateText) -> dict[str, Any]:
    if isinstance(request.prompt, str):
        said = "can't be had of a remote model for a plain prompt; send a chat"
        raise InvalidInput.in_fields({"logprobs": said})
    top = {"top_logprobs": request.top_logprobs} if request.top_logprobs else {}
    return {"logprobs": True, **top}


def text_reply(request: GenerateText, body: bytes) -> TextReply:
    """Decode a whole answer. Raises GenerationFailed where it is none."""
    completion = _decoded(body, _Completion)
    part: Literal["text", "message"] = "text" if isinstance(request.prompt, str) else "message"
    text = completion.choices[0].said(part) if completion.choices else None
    if text is None:
        raise failed("The remote server's answer has no text.")
    choice = completion.choices[0]
    reason = choice.finish_reason or "stop"
    return TextReply(
        text,
        _finish_reason(reason),
        _usage(completion.usage, 0),
        warning=_early_end(reason),
        logprobs=choice.told() if request.logprobs else None,
    )


class TextPieces:
    """Make chunks of a streamed answer's events, and see whether it came to its end.

    Where the server counts no tokens, each piece counts as one.
    """

    def __init__(self, request: GenerateText, spec: RemoteSpec) -> None:
        self._part: Literal["text", "delta"] = (
            "text" if isinstance(request.prompt, str) else "delta"
        )
        self._spec = spec
        self._reason: str | None = None
        self._usage: _Tokens | None = None
        self._has_logprobs = request.logprobs
        self._logprobs: tuple[TokenLogprob, ...] = ()
        self.pieces = 0

    def __repr__(self) -> str:
        return f"<TextPieces {self.pieces} pieces, {self._reason or 'not at the end'}>"

    def feed(self, event: str) -> TextChunk | None:
        """Take the next event; give its text, where it has some. Raises GenerationFailed."""
        body = event.encode()
        completion = _decoded(body, _Completion)
        if completion.error is not None:
            raise error_in_stream(body, self._spec)
        self._usage = completion.usage or self._usage
        if not completion.choices:
            return None
        choice = completion.choices[0]
        self._reason = choice.finish_reason or self._reason
        if self._has_logprobs:
            self._logprobs += choice.told()
        text = choice.said(self._part)
        if not text:
            return None
        self.pieces += 1
        return TextChunk(text, logprobs=self._logprobs_of_chunk())

    def end(self) -> TextChunk:
        """Give the last chunk. Raises GenerationFailed where the answer has no end."""
        if self._reason is None:
            raise failed(
                "The remote server broke off in the midst of its answer.", tokens=self.pieces
            )
        return TextChunk(
            "",
            tokens=0,
            finish_reason=_finish_reason(self._reason),
            usage=_usage(self._usage, self.pieces),
            warning=_early_end(self._reason),
            logprobs=self._logprobs_of_chunk(),
        )

    def _logprobs_of_chunk(self) -> tuple[TokenLogprob, ...] | None:
        """Give those since the last chunk: an event without text has no chunk of its own."""
        told, self._logprobs = self._logprobs, ()
        return told if self._has_logprobs else None


def embed_body(request: Embed, spec: RemoteSpec) -> bytes:
    """Encode ``request``."""
    return _encoded({"model": spec.model, "input": request.texts, "encoding_format": "float"})


def embedding_reply(request: Embed, body: bytes) -> EmbeddingReply:
    """Decode an answer, and give its vectors length 1. Raises GenerationFailed where it is none."""
    decoded = _decoded(body, _Vectors)
    vectors = sorted(decoded.data, key=lambda vector: vector.index)
    sizes = {len(vector.embedding) for vector in vectors}
    if [vector.index for vector in vectors] != [*range(len(request.texts))] or len(sizes) != 1:
        raise failed("The remote server's answer doesn't have one vector for each text.")
    return EmbeddingReply(
        vectors=tuple(_normalised(vector.embedding) for vector in vectors),
        dimensions=sizes.pop(),
        usage=_usage(decoded.usage, 0),
    )


def _normalised(vector: tuple[float, ...]) -> tuple[float, ...]:
    length = math.hypot(*vector) or 1.0
    return tuple(number / length for number in vector)


def _encoded(body: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput.in_fields({"request": f"can't be encoded ({error})"}) from error


def _decoded(body: bytes, kind: type[ContentT]) -> ContentT:
    try:
        return msgspec.json.decode(body, type=kind)
    # A body that is nested too deep is no DecodeError.
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise failed("The remote server's answer is not in the form of the OpenAI API.") from error


def _usage(tokens: _Tokens | None, counted: int) -> Usage:
    if tokens is None:
        return Usage(0, counted)
    return Usage(tokens.prompt_tokens, tokens.completion_tokens)


def _finish_reason(reason: str) -> FinishReason:
    return "length" if reason == "length" else "stop"


def _early_end(reason: str) -> str | None:
    """Warn of an end that is neither the text's nor that of the tokens allowed."""
    if reason in ("stop", "length"):
        return None
    return f"The remote server ended the answer for another reason: {reason[:_MAX_REASON]!r}."
