"""The worker process: what stands between its birth and its engine."""

from __future__ import annotations

import os
import signal
import socket
import sys
from dataclasses import dataclass
from typing import Any, NoReturn

from failsoft.gpu.process.control import WIRE, take_ends
from failsoft.gpu.process.prctl import set_name, set_parent_death_signal, tie_to_parent
from failsoft.gpu.process.worker_log import configure_worker_log
from failsoft.gpu.serving.serve import serve

_ADOPTION_LIMIT = 10.0
_KEPT_IGNORED = {signal.SIGPIPE, signal.SIGXFSZ}
# Python's own 5 ms are long to wait for a thread that has only a command to read.
_SWITCH_EVERY = 0.0002


@dataclass(frozen=True)
class Birth:
    """Know what a worker is born with: two descriptors, and the pids of those before it."""

    wire: int
    output: int
    parent: int
    reaper: int


def run_worker(birth: Birth) -> NoReturn:
    """Be the worker until its work is over. Call in a fresh fork; it never returns."""
    try:
        _be_adopted(birth)
        take_ends(birth.wire, birth.output)
        os.setpgid(0, 0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        _leave(1)
    work()


def work() -> NoReturn:
    """Serve at the wire until the work is over, then end this process."""
    status = 1
    try:
        _reset_signals()
        set_name("failsoft-worker")
        configure_worker_log()
        sys.setswitchinterval(_SWITCH_EVERY)
        _reseed()
        status = serve(socket.socket(fileno=WIRE))
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        _leave(status)


def _be_adopted(birth: Birth) -> None:
    """Wait until the reaper is the parent, and die with it from then on."""
    # The kernel sends this once the parent has ended and the new one is set.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    set_parent_death_signal(signal.SIGUSR1)
    if os.getppid() == birth.parent:
        signal.sigtimedwait({signal.SIGUSR1}, _ADOPTION_LIMIT)
    tie_to_parent(birth.reaper)


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP} - _KEPT_IGNORED:
        if signal.getsignal(number) not in (signal.SIG_DFL, None):
            signal.signal(number, signal.SIG_DFL)
    signal.sigtimedwait({signal.SIGUSR1}, 0)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())


def _reseed() -> None:
    """Draw other random numbers than the other forks of the template do."""
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.seed()
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()


def _leave(status: int) -> NoReturn:
    """End now. Exit handlers of the forefathers' libraries are not this process's to run."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            status = status or 1
    os._exit(status)
