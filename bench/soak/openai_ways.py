"""Ways by the openai client: chats, completions, embeddings and images."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import openai

from bench.soak.ends import ANSWERED, end_by, refusal_in
from bench.soak.question import Question
from bench.storm.question import is_echo

_PNG = b"\x89PNG\r\n\x1a\n"
# Asked for again and again, to hold vectors against each other; and so many that one that was in
# work whenever a worker was killed, and is refused for a while, leaves others.
_TEXTS = 50


class OpenAIWays:
    """Ask by the openai client. vectors: those of texts that were asked for before."""

    def __init__(self, url: str, client: openai.DefaultAsyncHttpxClient) -> None:
        self._client = openai.AsyncOpenAI(
            base_url=f"{url}/v1", api_key="none", max_retries=0, http_client=client, timeout=None
        )
        self._vectors: dict[str, list[float]] = {}

    def ways(self) -> dict[str, Callable[[Question], Awaitable[str]]]:
        """Give the ways by name."""
        return {
            "chat": self._chat,
            "chat_stream": self._chat_stream,
            "completion": self._completion,
            "embedding": self._embedding,
            "image": self._image,
        }

    async def _chat(self, question: Question) -> str:
        answer = await self._client.chat.completions.create(**_chat_of(question))
        choice = answer.choices[0]
        is_own = is_echo(question.prompt, choice.message.content or "", choice.finish_reason)
        return ANSWERED if is_own else "wrong"

    async def _chat_stream(self, question: Question) -> str:
        text, reason = "", None
        chunks = await self._client.chat.completions.create(**_chat_of(question), stream=True)
        async for chunk in chunks:
            for choice in chunk.choices:
                if reason is not None:
                    return "both"
                text += choice.delta.content or ""
                reason = choice.finish_reason
        if reason is None:
            return "silent"
        return ANSWERED if is_echo(question.prompt, text, reason) else "wrong"

    async def _completion(self, question: Question) -> str:
        answer = await self._client.completions.create(
            model="chat",
            prompt=f"{question.id}: are cats small?",
            max_tokens=12,
            **_extra(question),
        )
        choice = answer.choices[0]
        return ANSWERED if choice.text and choice.finish_reason else "wrong"

    async def _embedding(self, question: Question) -> str:
        """Hold the vector against the one that the same text had before."""
        text = f"{question.number % _TEXTS} cats are small, and lemons are sour"
        answer = await self._client.embeddings.create(
            model="embeddings", input=text, **_extra(question)
        )
        vector = answer.data[0].embedding
        before = self._vectors.setdefault(text, vector)
        return ANSWERED if _are_near(vector, before) else "wrong"

    async def _image(self, question: Question) -> str:
        body = {"num_inference_steps": 10, "seed": question.number}
        extra = _extra(question)
        extra["extra_body"] |= body
        answer = await self._client.images.generate(
            model="images", prompt="a red circle", size="64x64", **extra
        )
        image = base64.b64decode((answer.data or [])[0].b64_json or "")
        return ANSWERED if image.startswith(_PNG) else "wrong"


def refused(error: openai.APIError, question: Question) -> str:
    """Give the end that an error of the client is."""
    if isinstance(error, openai.APIStatusError):
        refusal, status = refusal_in(error.response.content), error.response.status_code
    else:  # an event in the midst of a stream
        refusal, status = refusal_in(msgspec.json.encode({"error": error.body})), None
    return end_by(refusal, status, question.id, is_patient=question.is_patient)


def _chat_of(question: Question) -> dict[str, Any]:
    return {
        "model": question.model,
        "messages": [{"role": "user", "content": question.prompt}],
        "max_tokens": question.max_tokens,
        **_extra(question),
    }


def _extra(question: Question) -> dict[str, Any]:
    return {
        "extra_headers": {"X-Correlation-ID": question.id},
        "extra_body": {"timeout": question.within},
    }


def _are_near(one: list[float], other: list[float]) -> bool:
    return len(one) == len(other) and all(
        abs(a - b) < 1e-3 for a, b in zip(one, other, strict=True)
    )
