"""TLS between a service and its workers, where the Ray cluster is set to it."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import ssl
import threading
import time

_CHUNK = 64 * 1024
_MAX_HELD = 1024 * 1024
# What came last is still handed on, to whoever takes it.
_LAST_LIMIT = 2.0


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
    the other. trouble: why TLS failed, where it did; known once ``end`` has ended.
    """

    def __init__(self, secured: socket.socket, context: ssl.SSLContext, *, server_side: bool):
        super().__init__(name="tls", daemon=True)
        self.trouble = ""
        self._has_last_words = server_side
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
        with self._secured, self._plain, selectors.DefaultSelector() as selector:
            with contextlib.suppress(OSError):
                while not (self._is_plain_over or self._is_secured_over):
                    self._carry()
                    self._wait(selector)
            with contextlib.suppress(OSError):
                self._take_leave()

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
        if self._is_plain_over or self._is_secured_over:
            return
        wants_secured = selectors.EVENT_READ * (len(self._inbound) < _MAX_HELD)
        wants_secured |= selectors.EVENT_WRITE * self._is_writing_blocked
        wants_plain = selectors.EVENT_READ * (len(self._outbound) < _MAX_HELD)
        wants_plain |= selectors.EVENT_WRITE * bool(self._inbound)
        _watch(selector, self._secured, wants_secured)
        _watch(selector, self._plain, wants_plain)
        selector.select()

    def _take_leave(self) -> None:
        """Hand on what came last, to the side that is still there, within a bound."""
        if self._is_secured_over:
            self._plain.settimeout(_LAST_LIMIT)
            self._plain.sendall(self._inbound)
        elif self._has_last_words and self._secured.version() is not None:
            until = time.monotonic() + _LAST_LIMIT
            self._secured.settimeout(_LAST_LIMIT)
            self._secured.sendall(self._outbound)
            self._secured.shutdown(socket.SHUT_WR)
            # What is unread when it is closed has the kernel drop what is under way.
            while time.monotonic() < until and self._secured.recv(_CHUNK):
                pass


def _watch(selector: selectors.BaseSelector, end: socket.socket, events: int) -> None:
    if end in selector.get_map():
        selector.unregister(end)
    if events:
        selector.register(end, events)
