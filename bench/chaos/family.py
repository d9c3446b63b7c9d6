"""The processes of a server: which there are, which have the model, and which are left."""

from __future__ import annotations

import contextlib
import signal
import time

import psutil

from bench.servers.model import PIDS
from bench.servers.running import Running


class Family:
    """Know the processes that a server has made, children or not."""

    def __init__(self, server: Running) -> None:
        self._server = server
        self._seen: set[psutil.Process] = set()
        self.members()

    def __repr__(self) -> str:
        return f"<Family of {self._server.name}, {len(self._seen)} processes seen>"

    def members(self) -> list[psutil.Process]:
        """Give those that live, and were seen below the first one or have its environment.

        Some write over their environment, and some leave their parent.
        """
        self._seen |= {each for each in psutil.process_iter() if self._is_marked(each)}
        with contextlib.suppress(psutil.NoSuchProcess):
            first = psutil.Process(self._server.pid)
            self._seen |= {first, *first.children(recursive=True)}
        return living(self._seen)

    def at_work(self) -> list[psutil.Process]:
        """Give those that have loaded the model, live and aren't stopped; the last loaded first."""
        there = living(self._server.models())
        return [each for each in there if each.status() != psutil.STATUS_STOPPED]

    def loads(self) -> int:
        """Give how many times the model was loaded."""
        return sum(1 for _ in self._server.folder.iterdir())

    def is_headless(self) -> bool:
        """Tell whether the first process has ended: nothing of the server will come back."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return not living([psutil.Process(self._server.pid)])
        return True

    def _is_marked(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error):
            return process.environ().get(PIDS) == str(self._server.folder)
        return False


def living(processes: list[psutil.Process] | set[psutil.Process]) -> list[psutil.Process]:
    """Give those that haven't ended; one that only waits to be buried has."""
    found = []
    for each in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if each.is_running() and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each)
    return found


def end(processes: list[psutil.Process]) -> None:
    """End them all; stopped ones, too."""
    for each in processes:
        send(each, signal.SIGKILL)
    until = time.monotonic() + 5.0
    while living(processes) and time.monotonic() < until:
        time.sleep(0.02)


def send(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)
