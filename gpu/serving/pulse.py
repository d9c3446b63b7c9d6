"""Signs of life from a worker, out of a thread of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from failsoft.gpu.memory.device_memory import NO_DEVICE, DeviceMemory, device_memory
from failsoft.gpu.memory.process_memory import rss_bytes
from failsoft.messages.frames import Frame, Heartbeat


class Pulse:
    """Know what the worker has done so far; tell it again and again.

    steps: steps made in all. running: the requests in hand. shown: those of them that have shown
    something.
    """

    def __init__(self, send: Callable[[Frame], None]) -> None:
        self._send = send
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.steps = 0
        self.running: tuple[int, ...] = ()
        self.shown: tuple[int, ...] = ()
        self.device_memory: Callable[[], DeviceMemory] = device_memory
        self.before_beat: Callable[[], None] = lambda: None

    def start(self, every: float) -> None:
        """Beat each ``every`` seconds until the end."""
        thread = threading.Thread(target=self._beat, args=(every,), name="heartbeat", daemon=True)
        thread.start()
        self._thread = thread

    def end(self) -> None:
        """Beat no more."""
        self._ended.set()

    def join(self) -> None:
        """Wait until the last beat is over, once ``end`` was called."""
        if self._thread is not None:
            self._thread.join()

    def _beat(self, every: float) -> None:
        while not self._ended.is_set():
            self.before_beat()
            memory = self._device_memory()
            self._send(
                Heartbeat(
                    at=time.monotonic(),
                    steps=self.steps,
                    running=self.running,
                    rss_bytes=rss_bytes(),
                    device_bytes=memory.held,
                    device_used_bytes=memory.used,
                    device_total_bytes=memory.total,
                    shown=self.shown,
                )
            )
            self._ended.wait(every)

    def _device_memory(self) -> DeviceMemory:
        # A device in trouble must not look like a worker that has none.
        try:
            return DeviceMemory(*self.device_memory())
        except Exception:
            return NO_DEVICE
