"""The worker process: what stands between its fork and its engine."""

from __future__ import annotations

import os
import signal
import socket
import sys
from dataclasses import dataclass
from typing import NoReturn

from failsoft.gpu.control import keep_only
from failsoft.gpu.prctl import set_name, set_parent_death_signal, tie_to_parent
from failsoft.gpu.serve import serve
from failsoft.gpu.worker_log import configure_worker_log

WIRE = 3
"""The number of the wire's descriptor in every worker."""

_ADOPTION_LIMIT = 10.0
_KEPT_IGNORED = {signal.SIGPIPE, signal.SIGXFSZ}


@dataclass(frozen=True)
class Birth:
    """Know what a worker is born with: two descriptors, and the pids of those before it."""

    wire: int
    output: int
    parent: int
    reaper: int


def run_worker(birth: Birth) -> NoReturn:
    """Be the worker until its work is over. Call in a fresh fork; it never returns."""
    status = 1
    try:
        _be_adopted(birth)
        _take_descriptors(birth)
        _reset_signals()
        os.setpgid(0, 0)
        set_name("failsoft-worker")
        configure_worker_log()
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


def _take_descriptors(birth: Birth) -> None:
    """Keep the wire and the output, and nothing of what the forefathers had open."""
    os.dup2(birth.output, 1)
    os.dup2(birth.output, 2)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    keep_only(birth.wire, WIRE)


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP} - _KEPT_IGNORED:
        if signal.getsignal(number) not in (signal.SIG_DFL, None):
            signal.signal(number, signal.SIG_DFL)
    signal.sigtimedwait({signal.SIGUSR1}, 0)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())


def _leave(status: int) -> NoReturn:
    """End now. Exit handlers of the forefathers' libraries are not this process's to run."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            status = status or 1
    os._exit(status)
