"""Who comes to a keeper: its service is let in, and nobody else can hold that up."""

from __future__ import annotations

import select
import socket
import ssl
import sys
import time

from failsoft.gpu.cluster import handshake
from failsoft.gpu.cluster.keeper_address import KeeperOrder
from failsoft.gpu.cluster.tcp import set_up
from failsoft.gpu.cluster.tls import TlsPump

# The service comes as soon as it is told the address.
_CLAIMS_LIMIT = 60.0
# Whoever says nothing meanwhile isn't the service.
_CLAIM_LIMIT = 10.0
# Of so many that say nothing, the one that came first goes when another comes.
_MAX_UNPROVEN = 64


class Claims:
    """Listen until both of the service's connections are there and proven.

    leash: a descriptor that is readable once there is nobody to wait for.
    """

    def __init__(
        self,
        listener: socket.socket,
        order: KeeperOrder,
        tls: ssl.SSLContext | None,
        leash: int,
    ) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._order = order
        self._tls = tls
        self._leash = leash
        self._unproven: list[_Claim] = []
        self._proven: dict[bytes, socket.socket] = {}

    def wait(self) -> dict[bytes, socket.socket] | None:
        """Give both connections by what they are for; None where nobody came in time."""
        until = time.monotonic() + _CLAIMS_LIMIT
        try:
            while len(self._proven) < 2:
                if self._is_over(until):
                    return None
            return self._proven
        finally:
            for claim in self._unproven:
                claim.end.close()

    def _is_over(self, until: float) -> bool:
        """Hear whoever has something to say; tell whether the wait for the service is over."""
        now = time.monotonic()
        for claim in [claim for claim in self._unproven if claim.until <= now]:
            self._refuse(claim, "it said nothing")
        left = min([until, *(claim.until for claim in self._unproven)]) - now
        heard: list[int | socket.socket | _Claim] = [self._leash, self._listener, *self._unproven]
        ready, _, _ = select.select(heard, [], [], max(0.0, left))
        if self._leash in ready or now >= until:
            return True
        for claim in self._unproven.copy():
            if claim in ready:
                self._hear(claim)
        if self._listener in ready:
            self._accept()
        return False

    def _accept(self) -> None:
        try:
            end, _ = self._listener.accept()
        except OSError:
            return
        if len(self._unproven) >= _MAX_UNPROVEN:
            self._refuse(self._unproven[0], "it said nothing, and others came")
        try:
            limit = self._order.silence_limit
            set_up(end, limit)
            pump = None
            if self._tls is not None:
                pump = TlsPump(end, self._tls, server_side=True, silence_limit=limit)
                end = pump.end
            self._unproven.append(_Claim(end, pump))
        except OSError:
            end.close()

    def _hear(self, claim: _Claim) -> None:
        try:
            purpose = claim.hear(self._order.key)
        except (OSError, handshake.HandshakeError) as error:
            self._refuse(claim, str(error))
            return
        if purpose is None:
            return
        if purpose in self._proven:
            self._refuse(claim, "it was there already")
            return
        self._unproven.remove(claim)
        if claim.pump is not None:
            claim.pump.has_last_words = True
        claim.end.setblocking(True)
        self._proven[purpose] = claim.end

    def _refuse(self, claim: _Claim, reason: str) -> None:
        self._unproven.remove(claim)
        claim.end.close()
        print(f"a connection was refused: {reason}", file=sys.stderr, flush=True)


class _Claim:
    """Hear one connection out, without ever waiting. Raises OSError where it is gone already."""

    def __init__(self, end: socket.socket, pump: TlsPump | None) -> None:
        self.end = end
        self.pump = pump
        self.until = time.monotonic() + _CLAIM_LIMIT
        self._greeted = handshake.greeting()
        self._claimed = b""
        end.setblocking(False)
        end.sendall(self._greeted)

    def fileno(self) -> int:
        return self.end.fileno()

    def hear(self, key: bytes) -> bytes | None:
        """Give what it is for once it is proven; None before.

        Raises OSError where it is gone, and HandshakeError where it is a stranger's.
        """
        try:
            data = self.end.recv(handshake.CLAIM_BYTES - len(self._claimed))
        except BlockingIOError:
            return None
        if not data:
            raise OSError("it was closed")
        self._claimed += data
        if len(self._claimed) < handshake.CLAIM_BYTES:
            return None
        purpose, answer = handshake.answer(key, self._greeted, self._claimed)
        self.end.sendall(answer)
        return purpose
