"""Small messages with descriptors, between service, reaper and templates. Standard library only.

A message is a JSON object in one packet of a SOCK_SEQPACKET pair; descriptors ride along.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Message = dict[str, Any]

WIRE = 3
"""The number of the wire's descriptor in every worker."""

MAX_MESSAGE_BYTES = 128 * 1024
_MAX_DESCRIPTORS = 4


def control_pair() -> tuple[socket.socket, socket.socket]:
    """Give the two ends of a control socket."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send_message(end: socket.socket, message: Message, descriptors: Sequence[int] = ()) -> None:
    """Send ``message``. Raises OSError where the other end is gone, or is full and not waited for.

    Raises ValueError where it is over the bound.
    """
    data = json.dumps(message).encode()
    if len(data) > MAX_MESSAGE_BYTES:
        raise ValueError(f"a message of {len(data)} bytes is over the bound of {MAX_MESSAGE_BYTES}")
    socket.send_fds(end, [data], list(descriptors))


def receive_message(end: socket.socket) -> tuple[Message | None, list[int]]:
    """Give the next message and its descriptors; None where the other end is gone.

    Raises BlockingIOError where nothing is there and ``end`` doesn't wait.
    """
    try:
        data, descriptors, _, _ = socket.recv_fds(
            end, MAX_MESSAGE_BYTES, _MAX_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
        )
    except ConnectionResetError:
        return None, []
    if not data:
        return None, descriptors
    return json.loads(data), descriptors


def take_ends(wire: int, output: int) -> None:
    """Keep a worker's wire and output, and nothing of what its forefathers had open."""
    os.dup2(output, 1)
    os.dup2(output, 2)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    keep_only(wire, WIRE)


def keep_only(descriptor: int, as_number: int) -> None:
    """Close every descriptor over 2 but this one, which gets the number ``as_number``.

    Objects that stand for the closed ones must not be used, nor be collected, any more.
    """
    if descriptor != as_number:
        os.dup2(descriptor, as_number, inheritable=False)
    highest = max(int(open_one.name) for open_one in Path("/proc/self/fd").iterdir())
    os.closerange(3, as_number)
    os.closerange(as_number + 1, highest + 1)
