"""TLS between a service and its workers, where the Ray cluster is set to it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import selectors
import socket
import ssl
import sys
import termios
import threading

_CHUNK = 64 * 1024
_MAX_HELD = 1024 * 1024
# So often a keeper that waits for its pumps looks at its leash, in seconds.
_MOMENT = 0.1


def tls_context(*, server_side: bool) -> ssl.SSLContext | None:
    """Give what Ray's own settings ask for; None where ``RAY_USE_TLS`` isn't set.

    ``RAY_TLS_SERVER_CERT`` and ``RAY_TLS_SERVER_KEY`` are this side's, and ``RAY_TLS_CA_CERT`` has
    signed both sides'. Raises OSError where one isn't set, or can't be read.
    See https://docs.ray.io/en/latest/ray-core/configure.html#tls-authentication.
    """
    if os.environ.get("RAY_USE_TLS", "0").lower() not in ("1", "true"):
        return None
    protocol = ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Certificates of nodes name no host that a service could know; the authority is the cluster's.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(_file("RAY_TLS_CA_CERT"))
    context.load_cert_chain(_file("RAY_TLS_SERVER_CERT"), _file("RAY_TLS_SERVER_KEY"))
    return context


def _file(variable: str) -> str:
    path = os.environ.get(variable, "")
    if not os.access(path, os.R_OK):
        raise OSError(f"RAY_USE_TLS is set: set {variable} to a file that can be read here")
    return path


class TlsPump(threading.Thread):
    """Give a plain socket, ``end``, for what ``secured`` speaks within TLS.

    A thread carries the bytes between the two, and waits for neither alone: a process can't be
    handed one end of TLS, and a worker's threads can't share it. Where either side ends, so does
    the other, once ``end`` has what came last, and the other what was said last.

    silence_limit: a side that takes and says nothing for so many seconds isn't waited for then.
    has_last_words: what was said last is waited for: the other side has proven itself.
    trouble: why TLS failed, where it did; known once ``end`` has ended.
    """

    def __init__(
        self,
        secured: socket.socket,
        context: ssl.SSLContext,
        *,
        server_side: bool,
        silence_limit: float,
    ) -> None:
        super().__init__(name="tls", daemon=True)
        self.trouble = ""
        self.has_last_words = False
        self._has_said_them = self._is_silent = False
        self._silence_limit = silence_limit
        self._secured = context.wrap_socket(
            secured, server_side=server_side, do_handshake_on_connect=False
        )
        self.end, self._plain = socket.socketpair()
        self._secured.setblocking(False)
        self._plain.setblocking(False)
        self._inbound = bytearray()
        self._outbound = bytearray()
        self._is_plain_over = self._is_secured_over = self._is_writing_blocked = False
        self.start()

    def run(self) -> None:
        with (
            contextlib.suppress(OSError),
            self._secured,
            self._plain,
            selectors.DefaultSelector() as selector,
        ):
            while self._goes_on:
                self._carry()
                self._take_leave()
                self._wait(selector)

    @property
    def _goes_on(self) -> bool:
        if self._is_secured_over:
            return bool(self._inbound) and not self._is_silent
        if self._is_plain_over:
            return self.has_last_words and not self._is_silent
        return True

    def _carry(self) -> None:
        """Move what can be moved now, both ways in turn."""
        self._is_writing_blocked = False
        moves = True
        while moves:
            moved = [
                self._read_secured(),
                self._flush_plain(),
                self._read_plain(),
                self._flush_secured(),
            ]
            moves = any(moved)

    def _read_secured(self) -> bool:
        if self._is_secured_over or len(self._inbound) >= _MAX_HELD:
            return False
        try:
            data = self._secured.recv(_CHUNK)
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLWantWriteError:
            self._is_writing_blocked = True
            return False
        except OSError as error:
            self._note(error)
            data = b""
        self._inbound += data
        self._is_secured_over = not data
        return bool(data)

    def _flush_plain(self) -> bool:
        if not self._inbound:
            return False
        try:
            sent = self._plain.send(self._inbound)
        except BlockingIOError:
            return False
        except OSError:
            # Nobody reads there any more; what was said there before is still to be read.
            sent = len(self._inbound)
        del self._inbound[:sent]
        return True

    def _read_plain(self) -> bool:
        if self._is_plain_over or len(self._outbound) >= _MAX_HELD:
            return False
        try:
            data = self._plain.recv(_CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        self._outbound += data
        self._is_plain_over = not data
        return bool(data)

    def _flush_secured(self) -> bool:
        if not self._outbound or self._is_secured_over:
            return False
        try:
            sent = self._secured.send(self._outbound)
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLWantWriteError:
            self._is_writing_blocked = True
            return False
        except OSError as error:
            self._note(error)
            self._is_secured_over = True
            return False
        del self._outbound[:sent]
        return True

    def _note(self, error: OSError) -> None:
        if isinstance(error, ssl.SSLError):
            self.trouble = getattr(error, "verify_message", None) or error.reason or str(error)

    def _wait(self, selector: selectors.BaseSelector) -> None:
        if not self._goes_on:
            return
        wants_secured = wants_plain = 0
        if not self._is_secured_over:
            wants_secured = selectors.EVENT_READ * (len(self._inbound) < _MAX_HELD)
            wants_secured |= selectors.EVENT_WRITE * self._is_writing_blocked
        if not self._is_plain_over:
            wants_plain = selectors.EVENT_READ * (len(self._outbound) < _MAX_HELD)
        wants_plain |= selectors.EVENT_WRITE * bool(self._inbound)
        _watch(selector, self._secured, wants_secured)
        _watch(selector, self._plain, wants_plain)
        is_ending = self._has_said_them or self._is_secured_over
        ready = selector.select(self._silence_limit if is_ending else None)
        # While words are under way, it is the kernel that finds whoever takes none. Of a connection
        # that was reset it counts them for ever.
        is_under_way = not self._is_secured_over and _is_under_way(self._secured)
        self._is_silent = not (ready or is_under_way)

    def _take_leave(self) -> None:
        """Tell the service once that a keeper's last words were said.

        What it still sends meanwhile is taken: unread, it would have the kernel drop what is under
        way to it.
        """
        if self._is_plain_over and not (self._outbound or self._has_said_them):
            self._has_said_them = True
            if self.has_last_words and not self._is_secured_over:
                # Not by its own shutdown, after which it is no TLS any more.
                socket.socket.shutdown(self._secured, socket.SHUT_WR)


def wait_for_pumps(leash: int) -> None:
    """Return when this process's pumps have handed on what they had, or the leash has ended."""
    for thread in threading.enumerate():
        if isinstance(thread, TlsPump):
            while thread.is_alive() and not select.select([leash], [], [], 0)[0]:
                thread.join(_MOMENT)


def _is_under_way(end: socket.socket) -> bool:
    """Tell whether the kernel still has some of what was sent."""
    try:
        left = fcntl.ioctl(end, termios.TIOCOUTQ, bytes(4))
    except OSError:
        return False
    return int.from_bytes(left, sys.byteorder) > 0


def _watch(selector: selectors.BaseSelector, end: socket.socket, events: int) -> None:
    if end in selector.get_map():
        selector.unregister(end)
    if events:
        selector.register(end, events)
