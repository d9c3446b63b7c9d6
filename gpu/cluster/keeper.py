"""The keeper: the parent of one worker on another machine, and its tie to the service.

Run as ``python -P -m failsoft.gpu.cluster.keeper``, with a ``KeeperOrder`` on its standard input,
which stays open: where it ends, so does the keeper. One thread, and one for each connection in TLS.

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
from failsoft.gpu.cluster.claims import Claims
from failsoft.gpu.cluster.keeper_address import KeeperAddress, KeeperOrder
from failsoft.gpu.cluster.keeper_control import KeeperControl
from failsoft.gpu.cluster.tls import tls_context, wait_for_pumps
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
from failsoft.gpu.process.prctl import set_name, set_parent_death_signal

# Of what a worker printed last, at most so much is still told.
_LAST_OUTPUT_BYTES = 1024 * 1024


class Keeper:
    """Have one worker, from its birth to its end.

    leash: a descriptor that is readable, at its end, once there is nobody to keep the worker for.
    """

    def __init__(self, order: KeeperOrder, leash: int) -> None:
        self._order = order
        self._leash = leash
        self._tls = tls_context(server_side=True)
        family = socket.getaddrinfo(order.host, None, type=socket.SOCK_STREAM)[0][0]
        self._listener = socket.create_server((order.host, 0), family=family)
        self._pid = 0
        self._pidfd = -1
        self._is_reaped = False

    @property
    def address(self) -> KeeperAddress:
        host, port = self._listener.getsockname()[:2]
        return KeeperAddress(host, port, self._tls is not None)

    def run(self) -> None:
        """Wait for the service, make the worker, and keep it to its end."""
        with self._listener:
            ends = Claims(self._listener, self._order, self._tls, self._leash).wait()
        if ends is None:
            return
        control = KeeperControl(ends[handshake.CONTROL], self._order.silence_limit)
        wire = ends[handshake.WIRE]
        output, write_end = os.pipe()
        os.set_blocking(output, False)
        with wire:
            try:
                self._pid, self._pidfd = spawn_plain((wire.fileno(), write_end), sys.path)
            except OSError as error:
                control.send(NotBorn(f"no process could be made: {error.strerror}"))
                control.finish(self._leash)
                return
            finally:
                os.close(write_end)
        control.send(Born(self._pid))
        try:
            self._keep(control, output)
        finally:
            if not self._is_reaped:
                self._kill_all()

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
        control.finish(self._leash)
        # The end of the wire may be behind: on a slow network, by all of a large answer.
        wait_for_pumps(self._leash)

    def _reap(self) -> int:
        """End the worker where it lives, and what it has started; give its status."""
        self._kill_all()
        _, status = os.waitpid(self._pid, 0)
        self._is_reaped = True
        return os.waitstatus_to_exitcode(status)


def _read_or_nothing(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, MAX_PRINTED_BYTES)
    except (BlockingIOError, InterruptedError):
        return b""


def main() -> None:
    """Keep one worker for whoever holds the other end of standard input."""
    # One that is stopped goes on when its service is gone, and sees it.
    set_parent_death_signal(signal.SIGCONT)
    set_name("failsoft-keeper")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What ends the command that it was started by ends the worker's helpers, too.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=KeeperOrder)
    keeper = Keeper(order, sys.stdin.fileno())
    print(msgspec.json.encode(keeper.address).decode(), flush=True)
    keeper.run()


if __name__ == "__main__":
    main()
