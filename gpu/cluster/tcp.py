"""How the TCP connections between a service and its workers are set up."""

from __future__ import annotations

import socket

# So many probes go unanswered within the limit before the other side is held to be gone.
_PROBES = 4


def set_up(end: socket.socket, silence_limit: float) -> None:
    """Send at once what is sent, and have the kernel notice where the other machine is gone.

    An idle connection is probed, and what is sent must be acknowledged, within ``silence_limit``
    seconds: then reads and writes fail. A process that stands still keeps its connections, as long
    as what it doesn't read fits into its kernel's buffers, which are megabytes.
    """
    every = max(1, round(silence_limit / (_PROBES + 1)))
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, every)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, every)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(silence_limit * 1000))
