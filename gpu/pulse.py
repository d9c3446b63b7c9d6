"""Signs of life from a worker, out of a thread of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from failsoft.gpu.process_memory import rss_bytes
from failsoft.messages.frames import Frame, Heartbeat


class Pulse:
    """Know what the worker has done so far; tell it again and again.

    steps: steps made in all. running: the requests in hand.
    """

    def __init__(self, send: Callable[[Frame], None], every: float) -> None:
        self._send = send
        self._every = every
        self._ended = threading.Event()
        self.steps = 0
        self.running: tuple[int, ...] = ()
        self.device_bytes: Callable[[], int] = lambda: 0
        self.before_beat: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Beat until the process ends."""
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def end(self) -> None:
        """Beat no more."""
        self._ended.set()

    def _beat(self) -> None:
        while not self._ended.is_set():
            self.before_beat()
            self._send(
                Heartbeat(
                    at=time.monotonic(),
                    steps=self.steps,
                    running=self.running,
                    rss_bytes=rss_bytes(),
                    device_bytes=self._device_bytes(),
                )
            )
            self._ended.wait(self._every)

    def _device_bytes(self) -> int:
        # A device in trouble must not look like a worker that has none.
        try:
            return int(self.device_bytes())
        except Exception:
            return 0
