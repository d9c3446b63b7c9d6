"""Ways by plain HTTP: the endpoints of the service's own, streams of events, and nonsense."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import msgspec

from bench.soak.ends import ANSWERED, LEFT, end_by, refusal_in
from bench.soak.events import events_of
from bench.soak.question import Question
from bench.storm.question import is_echo

_PAGES = ("/status", "/health", "/tree", "/metrics", "/v1/models", "/error_metrics", "/", "/readyz")
_SEEN_BEFORE_LEAVING = 3
# What is wrong, and with which status it is told so.
_NONSENSE: tuple[tuple[str, bytes, dict[str, str], int], ...] = (
    ("/generate", b"{", {}, 422),
    ("/generate", b'{"prompt": ""}', {}, 422),
    ("/generate", b'{"prompt": "a", "model": "nobody"}', {}, 404),
    ("/v1/chat/completions", b'{"messages": [], "tools": [1]}', {}, 422),
    ("/generate", b'{"prompt": "a"}', {"Content-Type": "text/plain"}, 415),
    ("/nowhere", b"{}", {}, 404),
)


class HttpWays:
    """Ask by a plain client."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    def ways(self) -> dict[str, Callable[[Question], Awaitable[str]]]:
        """Give the ways by name."""
        paths = ("generate", "generate_resilient", "adaptive_generate")
        return {
            **{path: functools.partial(self._generate, f"/{path}") for path in paths},
            "generate_events": self._generate_events,
            "chat_events": self._chat_events,
            "pages": self._page,
            "live": self._live,
            "nonsense": self._nonsense,
        }

    async def _generate(self, path: str, question: Question) -> str:
        answer = await self._client.post(path, json=body_of(question), headers=_id(question))
        if answer.status_code != httpx2.codes.OK:
            return _refused(answer, question)
        said = answer.json()
        return _own(question, said["text"], said["finish_reason"])

    async def _generate_events(self, question: Question) -> str:
        """Read chunks and one reply, or one error, and nothing after it."""
        body = {**body_of(question), "stream": True}
        text, end = "", None
        async with self._client.stream(
            "POST", "/generate", json=body, headers=_id(question)
        ) as answer:
            if answer.status_code != httpx2.codes.OK:
                await answer.aread()
                return _refused(answer, question)
            async for event in events_of(answer):
                if end is not None:
                    return "both"
                match event.name:
                    case "chunk":
                        text += msgspec.json.decode(event.data)["text"]
                    case "reply":
                        said = msgspec.json.decode(event.data)
                        is_whole = said["text"] == text
                        own = _own(question, said["text"], said["finish_reason"])
                        end = own if is_whole else "wrong"
                    case "error":
                        end = _broken_off(event.data, question)
        return end or "silent"

    async def _chat_events(self, question: Question) -> str:
        """Read to the one ``[DONE]``, or to an error, after which there is none."""
        asked = {
            "model": question.model,
            "messages": [{"role": "user", "content": question.prompt}],
            "max_tokens": question.max_tokens,
            "timeout": question.within,
            "stream": True,
        }
        text, reason, end = "", None, None
        async with self._client.stream(
            "POST", "/v1/chat/completions", json=asked, headers=_id(question)
        ) as answer:
            if answer.status_code != httpx2.codes.OK:
                await answer.aread()
                return _refused(answer, question)
            async for event in events_of(answer):
                if end is not None:
                    return "both"
                if event.data == b"[DONE]":
                    end = _own(question, text, reason)
                    continue
                said: dict[str, Any] = msgspec.json.decode(event.data)
                if "error" in said:
                    end = _broken_off(event.data, question)
                    continue
                for choice in said["choices"]:
                    text += choice["delta"].get("content") or ""
                    reason = choice["finish_reason"] or reason
        return end or "silent"

    async def _page(self, question: Question) -> str:
        path = _PAGES[question.number % len(_PAGES)]
        answer = await self._client.get(path, headers=_id(question))
        # Health and readiness are an answer with 503 as well.
        return ANSWERED if answer.status_code in (200, 503) and answer.content else "wrong"

    async def _live(self, question: Question) -> str:
        """Look at some pictures of the live page, and leave."""
        async with self._client.stream("GET", "/live", headers=_id(question)) as answer:
            if answer.status_code != httpx2.codes.OK:
                await answer.aread()
                return _refused(answer, question)
            seen = 0
            async for event in events_of(answer):
                if not msgspec.json.decode(event.data):
                    return "wrong"
                seen += 1
                if seen == _SEEN_BEFORE_LEAVING:
                    return LEFT
        return "silent"

    async def _nonsense(self, question: Question) -> str:
        path, body, headers, status = _NONSENSE[question.number % len(_NONSENSE)]
        headers = {"Content-Type": "application/json", **headers, **_id(question)}
        answer = await self._client.post(path, content=body, headers=headers)
        end = _refused(answer, question)
        # One that is told to end takes no more, whatever it is.
        return end if answer.status_code == status or end == "model_overloaded" else "wrong"


def body_of(question: Question) -> dict[str, Any]:
    """Give the body of a request to the service's own endpoints."""
    return {
        "model": question.model,
        "prompt": question.prompt,
        "max_tokens": question.max_tokens,
        "timeout": question.within,
    }


def _id(question: Question) -> dict[str, str]:
    return {"X-Correlation-ID": question.id}


def _own(question: Question, text: str, finish_reason: str | None) -> str:
    return ANSWERED if is_echo(question.prompt, text, finish_reason) else "wrong"


def _refused(answer: httpx2.Response, question: Question) -> str:
    refusal, status = refusal_in(answer.content), answer.status_code
    return end_by(refusal, status, question.id, is_patient=question.is_patient)


def _broken_off(data: bytes, question: Question) -> str:
    return end_by(refusal_in(data), None, question.id, is_patient=question.is_patient)
