"""The keeper's end of its connection to the service, which it never waits for."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Iterator

from failsoft.gpu.cluster.words import MAX_PRINTED_BYTES, Order, order_reader
from failsoft.messages.frames import Frame
from failsoft.messages.wire import WireError, encode_frame

_RECEIVE_BYTES = 64 * 1024
_MAX_UNSENT_BYTES = 4 * MAX_PRINTED_BYTES


class KeeperControl:
    """Read orders, and send words as far as the service takes them.

    silence_limit: a service from which nothing comes for so many seconds is gone. has_ended: it
    is gone, or speaks no sense.
    """

    def __init__(self, end: socket.socket, silence_limit: float) -> None:
        end.setblocking(False)
        self._end = end
        self._silence_limit = silence_limit
        self._reader = order_reader()
        self._unsent = bytearray()
        self.has_ended = False

    def fileno(self) -> int:
        return self._end.fileno()

    @property
    def wants_to_write(self) -> bool:
        return bool(self._unsent)

    @property
    def has_room(self) -> bool:
        """Tell whether what the worker prints should be read: else it waits, as with any pipe."""
        return len(self._unsent) < _MAX_UNSENT_BYTES

    def send(self, word: Frame) -> None:
        """Send ``word`` as soon as the service takes it."""
        self._unsent += encode_frame(word)
        self.write()

    def write(self) -> None:
        """Send what is to be sent, as far as it is taken."""
        if not self._unsent:
            return
        try:
            sent = self._end.send(self._unsent)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.has_ended = True
            sent = len(self._unsent)
        del self._unsent[:sent]

    def read(self) -> Iterator[Order]:
        """Give the orders that have come."""
        try:
            data = self._end.recv(_RECEIVE_BYTES)
            yield from self._reader.feed(data)
            self.has_ended = self.has_ended or not data
        except (BlockingIOError, InterruptedError):
            return
        except (OSError, WireError):
            self.has_ended = True

    def finish(self, leash: int) -> None:
        """Send what is left, and close once the service has it, or has long been silent.

        So it does where the leash ends.

        What it still sends meanwhile is taken: unread, it would have the kernel drop what is under
        way to it; and it tells that the service still listens, slow as the network may be.
        """
        poll = select.poll()
        poll.register(leash, select.POLLIN)
        with self._end:
            while not self.has_ended:
                if not self.wants_to_write:
                    with contextlib.suppress(OSError):
                        self._end.shutdown(socket.SHUT_WR)
                poll.register(self._end, select.POLLIN | self.wants_to_write * select.POLLOUT)
                ready = dict(poll.poll(self._silence_limit * 1000))
                if not ready or leash in ready:
                    return
                self.write()
                for _ in self.read():
                    pass
