"""The keeper: the parent of one worker on another machine, and its tie to the service.

Run as ``python -P -m failsoft.gpu.cluster.keeper``, with a ``KeeperOrder`` on its standard input,
which stays open: where it ends, so does the keeper. One thread.

    service ──wire, TCP────────────────▶ worker
       └────control, TCP──▶ keeper ──fork──┘

It listens until both connections are there and proven, gives the worker the one, and keeps the
other. Where that ends, or falls silent, its service is gone, and it ends the worker. Where the
keeper itself is gone, the kernel ends the worker.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time

import msgspec

from failsoft.gpu.cluster import handshake
from failsoft.gpu.cluster.keeper_address import KeeperAddress, KeeperOrder
from failsoft.gpu.cluster.keeper_control import KeeperControl
from failsoft.gpu.cluster.tcp import set_up
from failsoft.gpu.cluster.tls import plain_end, tls_context
from failsoft.gpu.cluster.words import (
    MAX_PRINTED_BYTES,
    Beat,
    Beaten,
    Born,
    Exited,
    NotBorn,
    Printed,
    Signal,
)
from failsoft.gpu.process.plain_spawn import spawn_plain
from failsoft.gpu.process.prctl import set_name, tie_to_parent

# The service comes as soon as it is told the address.
_CLAIMS_LIMIT = 60.0
# Whoever says nothing meanwhile isn't the service, which waits behind it.
_CLAIM_LIMIT = 2.0
# Of what a worker printed last, at most so much is still told.
_LAST_OUTPUT_BYTES = 1024 * 1024


class Keeper:
    """Have one worker, from its birth to its end.

    leash: a descriptor that is readable, at its end, once there is nobody to keep the worker for.
    """

    def __init__(self, order: KeeperOrder, leash: int) -> None:
        self._key = order.key
        self._silence_limit = order.silence_limit
        self._leash = leash
        self._tls = tls_context(server_side=True)
        family = socket.getaddrinfo(order.host, None, type=socket.SOCK_STREAM)[0][0]
        self._listener = socket.create_server((order.host, 0), family=family)
        self._pid = 0
        self._pidfd = -1

    @property
    def address(self) -> KeeperAddress:
        host, port = self._listener.getsockname()[:2]
        return KeeperAddress(host, port, self._tls is not None)

    def run(self) -> None:
        """Wait for the service, make the worker, and keep it to its end."""
        with self._listener:
            ends = self._claimed()
        if ends is None:
            return
        control, wire = KeeperControl(ends[handshake.CONTROL]), ends[handshake.WIRE]
        output, write_end = os.pipe()
        os.set_blocking(output, False)
        with wire:
            try:
                self._pid, self._pidfd = spawn_plain((wire.fileno(), write_end), sys.path)
            except OSError as error:
                control.send(NotBorn(f"no process could be made: {error.strerror}"))
                control.finish()
                return
            finally:
                os.close(write_end)
        control.send(Born(self._pid))
        self._keep(control, output)

    # -- who comes

    def _claimed(self) -> dict[bytes, socket.socket] | None:
        """Give both connections, once they are proven; None where nobody came in time."""
        ends: dict[bytes, socket.socket] = {}
        until = time.monotonic() + _CLAIMS_LIMIT
        while len(ends) < 2:
            left = until - time.monotonic()
            watched = [self._listener.fileno(), self._leash]
            ready, _, _ = select.select(watched, [], [], max(0.0, left))
            if not ready or self._leash in ready:
                return None
            end, _ = self._listener.accept()
            try:
                purpose, plain = self._prove(end)
            except (OSError, handshake.HandshakeError) as error:
                print(f"a connection was refused: {error}", file=sys.stderr, flush=True)
                continue
            if purpose in ends:
                plain.close()
            else:
                ends[purpose] = plain
        return ends

    def _prove(self, end: socket.socket) -> tuple[bytes, socket.socket]:
        """Give what a connection is for. Raises OSError, or HandshakeError for a stranger's."""
        try:
            set_up(end, self._silence_limit)
            if self._tls is not None:
                end = plain_end(end, self._tls, server_side=True)
            end.settimeout(_CLAIM_LIMIT)
            greeted = handshake.greeting()
            end.sendall(greeted)
            claimed = _receive(end, handshake.CLAIM_BYTES)
            purpose, answer = handshake.answer(self._key, greeted, claimed)
            end.sendall(answer)
            end.settimeout(None)
        except BaseException:
            end.close()
            raise
        return purpose, end

    # -- the worker's life

    def _keep(self, control: KeeperControl, output: int) -> None:
        """Pass on what the worker prints and what the service wants, until one of them ends."""
        poll = select.poll()
        poll.register(self._leash, select.POLLIN)
        poll.register(self._pidfd, select.POLLIN)
        is_heard = True
        while True:
            poll.register(control.fileno(), select.POLLIN | control.wants_to_write * select.POLLOUT)
            if is_heard and control.has_room:
                poll.register(output, select.POLLIN)
            ready = dict(poll.poll())
            if self._leash in ready:
                break
            if control.fileno() in ready and not self._take_orders(control):
                break
            if output in ready:
                is_heard = self._pass_on(control, output)
                poll.unregister(output)
            if self._pidfd in ready:
                self._tell_end(control, output)
                return
        self._reap()

    def _take_orders(self, control: KeeperControl) -> bool:
        """Do what the service wants; False where it is gone."""
        control.write()
        for order in control.read():
            match order:
                case Beat(at):
                    control.send(Beaten(at, time.monotonic()))
                case Signal(number):
                    self._signal(number)
        return not control.has_ended

    def _signal(self, number: int) -> None:
        if number == signal.SIGKILL:
            self._kill_all()
        else:
            signal.pidfd_send_signal(self._pidfd, number)

    def _kill_all(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        # Where it is so young that it leads no group yet.
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    @staticmethod
    def _pass_on(control: KeeperControl, output: int) -> bool:
        """Send what the worker printed; False at its end."""
        data = os.read(output, MAX_PRINTED_BYTES)
        if data:
            control.send(Printed(data))
        return bool(data)

    def _tell_end(self, control: KeeperControl, output: int) -> None:
        status = self._reap()
        left = _LAST_OUTPUT_BYTES
        while left > 0 and (data := _read_or_nothing(output)):
            control.send(Printed(data))
            left -= len(data)
        control.send(Exited(status))
        control.finish()

    def _reap(self) -> int:
        """End the worker where it lives, and what it has started; give its status."""
        self._kill_all()
        _, status = os.waitpid(self._pid, 0)
        return os.waitstatus_to_exitcode(status)


def _receive(end: socket.socket, size: int) -> bytes:
    """Give so many bytes. Raises OSError where they don't come in time."""
    data = b""
    while len(data) < size:
        more = end.recv(size - len(data))
        if not more:
            raise OSError("it was closed")
        data += more
    return data


def _read_or_nothing(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, MAX_PRINTED_BYTES)
    except (BlockingIOError, InterruptedError):
        return b""


def main() -> None:
    """Keep one worker for whoever holds the other end of standard input."""
    tie_to_parent(os.getppid())
    set_name("failsoft-keeper")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=KeeperOrder)
    keeper = Keeper(order, sys.stdin.fileno())
    print(msgspec.json.encode(keeper.address).decode(), flush=True)
    keeper.run()


if __name__ == "__main__":
    main()
