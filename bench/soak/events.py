"""Events: reading a stream of server-sent events to its end, of which there is one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import msgspec


class Event(msgspec.Struct, frozen=True):
    """Be one event."""

    name: str
    data: bytes


async def events_of(answer: httpx2.Response) -> AsyncIterator[Event]:
    """Give the events of an answer as they come."""
    name, data = "message", []
    async for line in answer.aiter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif not line and data:
            yield Event(name, "\n".join(data).encode())
            name, data = "message", []
