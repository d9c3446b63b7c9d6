"""Start a worker without a template: a fresh interpreter. Standard library only."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from failsoft.gpu.process.control import WIRE, take_ends
from failsoft.gpu.process.prctl import tie_to_parent

_MODULE = "failsoft.gpu.process.plain_worker"


def spawn_plain(descriptors: Sequence[int], sys_path: Sequence[str]) -> tuple[int, int]:
    """Start a worker, a child of this process; give its pid and a pidfd. Raises OSError.

    It is tied to its parent and the leader of its group before anything of its own runs.
    """
    wire, output = descriptors
    program = [sys.executable, "-P", "-m", _MODULE, json.dumps(list(sys_path))]
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become(program, wire, output, parent)
    try:
        return pid, os.pidfd_open(pid)
    except OSError:
        os.kill(pid, signal.SIGKILL)
        raise


def _become(program: list[str], wire: int, output: int, parent: int) -> NoReturn:
    try:
        tie_to_parent(parent)
        os.setpgid(0, 0)
        take_ends(wire, output)
        os.set_inheritable(WIRE, True)
        os.execv(program[0], program)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)
