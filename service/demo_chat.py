"""The demo's last caller: OpenAI's own client, over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import time
from collections.abc import AsyncIterator
from typing import Final

import msgspec

from failsoft.actors import System
from failsoft.service.http import failsoft_app
from failsoft.service.http.run import http_server, listening_on

CORRELATION_ID: Final = "demo-chat"
_QUESTION: Final = "Say in one sentence what a supervisor does."


class Chat(msgspec.Struct, frozen=True):
    """Hold what was asked over HTTP and what came back. seconds: how long that took."""

    base_url: str
    question: str
    answer: str
    model_used: str
    seconds: float


def has_client() -> bool:
    """Tell whether OpenAI's client is installed; it is no dependency of failsoft."""
    return importlib.util.find_spec("openai") is not None


async def chat(system: System, routes: dict[str, str], limit: float) -> Chat:
    """Serve the running tree on a free port for one chat. limit: seconds for it.

    Raise openai.OpenAIError where there is no answer.
    """
    # Here, since it takes a second, and only this needs it.
    from openai import AsyncOpenAI

    model = next(iter(routes))
    async with (
        _served(system, routes) as base_url,
        AsyncOpenAI(
            base_url=base_url, api_key="none is needed", timeout=limit, max_retries=0
        ) as client,
    ):
        began = time.monotonic()
        said = await client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": _QUESTION}],
            max_completion_tokens=32,
            temperature=0,
            extra_headers={"X-Correlation-ID": CORRELATION_ID},
        )
        seconds = time.monotonic() - began
    ours = (said.model_extra or {})["failsoft"]
    answer = said.choices[0].message.content or ""
    return Chat(base_url, _QUESTION, answer, ours["model_used"], seconds)


@contextlib.asynccontextmanager
async def _served(system: System, routes: dict[str, str]) -> AsyncIterator[str]:
    socket = listening_on(port=0)
    server = http_server(failsoft_app(system, routes=routes))
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(server.serve([socket]))
        try:
            yield f"http://127.0.0.1:{socket.getsockname()[1]}/v1"
        finally:
            server.should_exit = True
            await serving
