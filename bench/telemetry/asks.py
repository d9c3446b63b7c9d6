"""Samples: some operations with parts of telemetry, and what they took."""

from __future__ import annotations

import asyncio
import json
from time import perf_counter, process_time

from starlette.types import ASGIApp, Message

from bench.paired import Sample
from bench.route import REQUEST, Echo
from bench.telemetry.parts import system_with
from failsoft.actors import Ref, System
from failsoft.gpu.script import Say, Script
from failsoft.gpu.scripted import scripted
from failsoft.messages.events import ChildRestarted
from failsoft.service.http import failsoft_app
from failsoft.supervisors import candidate, model, router

_BODY = json.dumps({"prompt": "hello", "max_tokens": 16}).encode()


async def _asked(ref: Ref, operations: int) -> None:
    for _ in range(operations):
        await ref.ask(REQUEST)


def bare_ask(*names: str) -> Sample:
    async def sample(operations: int) -> float:
        async with system_with(*names) as system:
            ref = await system.spawn(Echo, "echo")
            began = process_time()
            await _asked(ref, operations)
            return process_time() - began

    return sample


def routed_ask(*names: str) -> Sample:
    async def sample(operations: int) -> float:
        began = 0.0
        async with system_with(*names) as system:
            spec = router("text", candidate("first", Echo), candidate("second", Echo))
            ref = await system.spawn(spec.start, "text")
            began = process_time()
            await _asked(ref, operations)
        return process_time() - began

    return sample


def http_ask(*names: str) -> Sample:
    """Ask by way of the ASGI app: all of HTTP but the server and the network."""

    async def sample(operations: int) -> float:
        began = 0.0
        async with system_with(*names) as system:
            spec = router("text", candidate("first", Echo), candidate("second", Echo))
            await system.spawn(spec.start, "text")
            app = failsoft_app(system, routes={"text": "text"})
            await post(app)  # which puts it together
            began = process_time()
            for _ in range(operations):
                await post(app)
        return process_time() - began

    return sample


async def post(app: ASGIApp) -> None:
    said: list[Message] = [{"type": "http.request", "body": _BODY}]

    async def receive() -> Message:
        if not said:
            await asyncio.Future()  # the client stays
        return said.pop()

    async def send(message: Message) -> None:
        assert message.get("status", 200) == 200

    headers = [(b"content-type", b"application/json")]
    asked = {"type": "http", "method": "POST", "path": "/generate", "scheme": "http"}
    await app({**asked, "headers": headers, "client": ("127.0.0.1", 1)}, receive, send)


def worker_ask(*names: str) -> Sample:
    """Ask a model in a process of its own: what a caller waits, who shares the machine with it."""

    async def sample(operations: int) -> float:
        worker = scripted(Script(otherwise=[Say("hello")]))
        async with system_with(*names) as system:
            spec = router("text", model("first", worker))
            ref = await system.spawn(spec.start, "text")
            await _asked(ref, operations // 10)
            began = perf_counter()
            await _asked(ref, operations)
            return perf_counter() - began

    return sample


async def unheard(operations: int) -> float:
    """Publish where nobody listens; give nanoseconds for each."""
    async with System() as system:
        publish = system.events.publish
        began = process_time()
        for _ in range(operations):
            publish(ChildRestarted, "root/a", restarts=1)
        return (process_time() - began) / operations * 1e9
