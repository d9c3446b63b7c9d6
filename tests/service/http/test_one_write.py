"""One write for the head and the body of an answer."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from failsoft.service.http.one_write import OneWrite

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

LIMIT = 30


class Transport:
    """Take note of what is done to it. untaken: what it tells of its buffer, each time."""

    def __init__(self, *untaken: int) -> None:
        self.done: list[Any] = []
        self.untaken = list(untaken)
        self.is_gone = False

    def is_closing(self) -> bool:
        return self.is_gone

    def write(self, data: bytes) -> None:
        assert not self.is_gone  # as uvloop has it
        self.done.append(data)

    def close(self) -> None:
        self.done.append("closed")

    def get_write_buffer_size(self) -> int:
        return self.untaken.pop(0)

    def abort(self) -> None:
        self.done.append("aborted")

    def get_extra_info(self, name: str) -> str:
        return f"the {name}"


def pair(*untaken: int) -> tuple[OneWrite, list[Any]]:
    """Give it, and what it does. untaken: how many bytes its reader has yet to take, by turns."""
    transport = Transport(*untaken)
    return OneWrite(cast(asyncio.Transport, transport), LIMIT), transport.done


async def test_a_head_and_its_body() -> None:
    """Go out as one, and at once."""
    transport, done = pair()
    transport.write(b"head ")
    transport.write(b"body")
    assert done == [b"head body"]
    await asyncio.sleep(0)
    assert done == [b"head body"]


async def test_a_head_alone() -> None:
    """Goes out at the end of the loop's turn: a stream's, whose first event is yet to come."""
    transport, done = pair()
    transport.write(b"head")
    assert done == []
    await asyncio.sleep(0)
    assert done == [b"head"]
    transport.write(b"event")
    await asyncio.sleep(0)
    assert done == [b"head", b"event"]


async def test_what_is_held_at_the_end() -> None:
    """Goes out before the connection is closed."""
    transport, done = pair(0)
    transport.write(b"head")
    transport.close()
    assert done == [b"head", "closed"]
    await asyncio.sleep(0)
    assert done == [b"head", "closed"]


async def test_what_is_written_to_a_reader_who_is_gone() -> None:
    """SRV-02 Goes nowhere, and is no error: at once, at the end of the turn, and at the close."""
    gone = Transport(0)
    gone.is_gone = True
    transport = OneWrite(cast(asyncio.Transport, gone), LIMIT)
    transport.write(b"head ")
    transport.write(b"body")
    transport.write(b"event")
    await asyncio.sleep(0)
    transport.write(b"more")
    transport.close()
    assert gone.done == ["closed"]


async def test_a_reader_who_takes_nothing() -> None:
    """SRV-06 Holds a closed connection up to the limit; a slow one for as long as it goes on."""
    transport, done = pair(50, 20, 20)
    transport.close()
    await asyncio.sleep(LIMIT + 1)
    assert done == ["closed"]
    await asyncio.sleep(LIMIT)
    assert done == ["closed", "aborted"]


async def test_all_else_is_the_transports() -> None:
    """Such as what it knows of the connection."""
    transport, _ = pair()
    assert transport.get_extra_info("peername") == "the peername"
