"""TLS between a service and its workers, where the Ray cluster is set to it."""

from __future__ import annotations

import os
import selectors
import socket
import ssl
import threading

_CHUNK = 64 * 1024
_MAX_HELD = 1024 * 1024
# What came last is still handed on, to who reads it.
_LAST_LIMIT = 2.0


def tls_context(*, server_side: bool) -> ssl.SSLContext | None:
    """Give what Ray's own settings ask for; None where ``RAY_USE_TLS`` isn't set.

    ``RAY_TLS_SERVER_CERT`` and ``RAY_TLS_SERVER_KEY`` are this side's, and ``RAY_TLS_CA_CERT`` has
    signed both sides'. Raises OSError where they can't be read, KeyError where one isn't set.
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
    context.load_verify_locations(os.environ["RAY_TLS_CA_CERT"])
    certificate, key = os.environ["RAY_TLS_SERVER_CERT"], os.environ["RAY_TLS_SERVER_KEY"]
    context.load_cert_chain(certificate, key)
    return context


def plain_end(end: socket.socket, context: ssl.SSLContext, *, server_side: bool) -> socket.socket:
    """Give a socket for what ``end`` speaks within TLS.

    A thread carries the bytes between the two, since a process can't be handed one end of TLS, and
    a worker's threads can't share it. Where either side ends, so does the other.
    """
    ours, theirs = socket.socketpair()
    secured = context.wrap_socket(end, server_side=server_side, do_handshake_on_connect=False)
    pump = _Pump(secured, theirs)
    threading.Thread(target=pump.run, name="tls", daemon=True).start()
    return ours


class _Pump:
    """Carry bytes between TLS and a plain socket, in one thread that waits for neither alone."""

    def __init__(self, secured: ssl.SSLSocket, plain: socket.socket) -> None:
        self._secured = secured
        self._plain = plain
        secured.setblocking(False)
        plain.setblocking(False)
        self._inbound = bytearray()
        self._outbound = bytearray()
        self._is_writing_blocked = False

    def run(self) -> None:
        with self._secured, self._plain, selectors.DefaultSelector() as selector:
            selector.register(self._secured, selectors.EVENT_READ)
            selector.register(self._plain, selectors.EVENT_READ)
            try:
                while True:
                    self._carry()
                    self._wait(selector)
            except (OSError, EOFError):
                return

    def _carry(self) -> None:
        """Move what can be moved now. Raises EOFError where a side has ended."""
        self._is_writing_blocked = False
        while self._read_secured() or self._read_plain():
            pass

    def _read_secured(self) -> bool:
        moved = False
        if len(self._inbound) < _MAX_HELD:
            try:
                data = self._secured.recv(_CHUNK)
                if not data:
                    self._plain.settimeout(_LAST_LIMIT)
                    self._plain.sendall(self._inbound)
                    raise EOFError
                self._inbound += data
                moved = True
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLWantWriteError:
                self._is_writing_blocked = True
        return self._flush_plain() or moved

    def _flush_plain(self) -> bool:
        try:
            sent = self._plain.send(self._inbound) if self._inbound else 0
        except BlockingIOError:
            return False
        del self._inbound[:sent]
        return sent > 0

    def _read_plain(self) -> bool:
        moved = False
        if len(self._outbound) < _MAX_HELD:
            try:
                data = self._plain.recv(_CHUNK)
                if not data and not self._outbound:
                    raise EOFError
                self._outbound += data
                moved = bool(data)
            except BlockingIOError:
                pass
        return self._flush_secured() or moved

    def _flush_secured(self) -> bool:
        try:
            sent = self._secured.send(self._outbound) if self._outbound else 0
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLWantWriteError:
            self._is_writing_blocked = True
            return False
        del self._outbound[:sent]
        return sent > 0

    def _wait(self, selector: selectors.BaseSelector) -> None:
        wants_secured = selectors.EVENT_READ * (len(self._inbound) < _MAX_HELD)
        wants_secured |= selectors.EVENT_WRITE * (self._is_writing_blocked or bool(self._outbound))
        wants_plain = selectors.EVENT_READ * (len(self._outbound) < _MAX_HELD)
        wants_plain |= selectors.EVENT_WRITE * bool(self._inbound)
        _watch(selector, self._secured, wants_secured)
        _watch(selector, self._plain, wants_plain)
        selector.select()


def _watch(selector: selectors.BaseSelector, end: socket.socket, events: int) -> None:
    if end in selector.get_map():
        selector.unregister(end)
    if events:
        selector.register(end, events)
