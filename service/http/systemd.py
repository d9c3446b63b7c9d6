"""What systemd is told, where it runs the service: that it is up, ends, and that its loop turns."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from typing import Final

import structlog

log = structlog.get_logger("failsoft.http")

READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"
_ALIVE: Final = "WATCHDOG=1"
_MICROSECOND: Final = 1e-6
# So that one that comes late is no reason to be ended.
_TIMES_AS_OFTEN: Final = 3


class Systemd:
    """Tell systemd, by the protocol of sd_notify; where it doesn't ask for that, do nothing."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # The @ stands for the zero of an abstract socket.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._interval = _interval(environment) if address else None

    def tell(self, state: str) -> None:
        """Tell it a state. What it doesn't hear is logged: the service goes on without."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifying:
                notifying.setblocking(False)
                notifying.sendto(state.encode(), self._address)
        except OSError as error:
            log.warning("systemd_not_told", state=state, error=str(error))

    async def keep_alive(self) -> None:
        """Tell again and again that the event loop turns, where it wants to know that."""
        while self._interval is not None:
            self.tell(_ALIVE)
            await asyncio.sleep(self._interval)


def _interval(environment: Mapping[str, str]) -> float | None:
    """Give the seconds between two signs of life; None where none are wanted of this process."""
    wanted = environment.get("WATCHDOG_USEC", "")
    whose = environment.get("WATCHDOG_PID", "")
    if not wanted.isdecimal() or not int(wanted) or whose not in ("", str(os.getpid())):
        return None
    return int(wanted) * _MICROSECOND / _TIMES_AS_OFTEN
