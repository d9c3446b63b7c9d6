"""Correlation: one id for a request, from its HTTP header to the worker process and back."""

from __future__ import annotations

import os
import re
from random import Random
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from failsoft.actors import bind_correlation_id, bind_traceparent

_FORM: Final = re.compile(rb"[ -~]{1,128}")
# Of its own, seeded by the system: whatever a program seeds the other one with, ids differ.
_random: Final = Random()
os.register_at_fork(after_in_child=_random.seed)


def accepted_id(header: bytes | None) -> str:
    """Give the caller's id where it has 1 to 128 printable ASCII characters, else a new one."""
    if header is None or _FORM.fullmatch(header) is None:
        return f"{_random.getrandbits(128):032x}"  # to tell apart, not to be secret
    return header.decode("ascii")


class Correlated:
    """Bind each request's correlation id and its place in a trace; give the id back.

    The id is in ``X-Correlation-ID``, and once more in ``X-Request-ID``, which the openai clients
    read.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = traceparent = None
        for name, value in scope["headers"]:
            if name == b"x-correlation-id":
                given = value
            elif name == b"traceparent":
                traceparent = value.decode("latin-1")
        correlation_id = accepted_id(given)
        bind_correlation_id(correlation_id)
        bind_traceparent(traceparent)
        told = correlation_id.encode("ascii")
        headers = ((b"x-correlation-id", told), (b"x-request-id", told))

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *headers]
            await send(message)

        await self._app(scope, receive, send_with_id)
