"""The template process: it has imported what workers need, and forks them.

A worker is forked twice: the process between ends at once, and so the worker becomes a child of
the reaper, which is a subreaper. A template that dies takes no worker with it.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

import structlog

from failsoft.gpu.loading.import_failure import explain_import_failure
from failsoft.gpu.process.control import Message, keep_only, receive_message, send_message
from failsoft.gpu.process.fork_order import TemplateKey
from failsoft.gpu.process.prctl import set_name, tie_to_parent
from failsoft.gpu.process.worker import Birth, run_worker
from failsoft.gpu.process.worker_log import configure_worker_log

_CHANNEL = 3
_log = structlog.get_logger("failsoft.template")

# Libraries that would start threads when imported; a process with threads isn't forked.
_NO_THREADS = {"OPENBLAS_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}


def run_template(channel: int, reaper: int, key: TemplateKey) -> None:
    """Serve the reaper until it is gone."""
    tie_to_parent(reaper)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    set_name("failsoft-templ")
    keep_only(channel, _CHANNEL)
    end = socket.socket(fileno=_CHANNEL)
    configure_worker_log()
    sys.path[:] = key.sys_path
    failure = _preload(key.preload)
    if failure is not None:
        send_message(end, {"op": "preload_failed", "reason": failure})
        return
    _settle()
    reason = _why_not_to_fork()
    if reason is not None:
        send_message(end, {"op": "unforkable", "reason": reason})
        return
    send_message(end, {"op": "ready"})
    while True:
        message, descriptors = receive_message(end)
        if message is None:
            return
        _fork(end, message, descriptors, reaper)
        for descriptor in descriptors:
            os.close(descriptor)


def _preload(modules: tuple[str, ...]) -> str | None:
    """Import ``modules``; give what went wrong in words for the one who asked."""
    for name, value in _NO_THREADS.items():
        os.environ.setdefault(name, value)
    for module in modules:
        try:
            importlib.import_module(module)
        # An import runs whatever a package does, exits included.
        except (Exception, SystemExit) as error:
            _log.warning("preloading failed", module=module, exc_info=error)
            return explain_import_failure(module, error)
    return None


def _why_not_to_fork() -> str | None:
    """Say what would be broken in a fork of this process; None where nothing would."""
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "the preloaded modules have initialised CUDA"
    threads = len(list(Path("/proc/self/task").iterdir())) - 1
    if threads:
        return f"the preloaded modules have started threads ({threads})"
    return None


def _settle() -> None:
    """Make ready to be forked: memory that is shared stays shared."""
    gc.collect()
    gc.freeze()
    sys.stdout.flush()
    sys.stderr.flush()


def _fork(end: socket.socket, message: Message, descriptors: list[int], reaper: int) -> None:
    wire, output = descriptors
    try:
        between = os.fork()
    except OSError as error:
        _refuse(end, f"no process could be made: {error.strerror}")
        return
    if between == 0:
        _fork_worker(end, Birth(wire=wire, output=output, parent=os.getpid(), reaper=reaper))
    _, status = os.waitpid(between, 0)
    if status != 0:
        _refuse(end, "no process could be made; see the log")


def _refuse(end: socket.socket, reason: str) -> None:
    send_message(end, {"op": "not_forked", "reason": reason})


def _fork_worker(end: socket.socket, birth: Birth) -> NoReturn:
    """Be the process between: fork the worker, tell of it, and end.

    It is the worker's parent here, so the pid it opens can't have become another process's.
    """
    status = 1
    try:
        pid = os.fork()
        if pid == 0:
            run_worker(birth)
        pidfd = os.pidfd_open(pid)
        send_message(end, {"op": "forked", "pid": pid}, [pidfd])
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)
