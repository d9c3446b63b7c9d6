"""No process at another place outlives the service, however it dies."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.gpu.launched import still_alive_after, watch

# The law: within 2 s.
LIMIT = 2.0
TESTS = Path(__file__).parents[1]


@contextlib.contextmanager
def service() -> Iterator[list[int]]:
    """Run a service; give the pids of it, of its keeper, its worker, and that one's helper."""
    path = os.pathsep.join([str(TESTS.parents[1]), str(TESTS)])
    made = subprocess.Popen(
        [sys.executable, "-P", "-m", "tests.gpu.cluster.service_program"],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    pids: list[int] = []
    with made:
        try:
            assert made.stdout is not None
            pids = json.loads(made.stdout.readline())
            yield [made.pid, *pids]
        finally:
            made.kill()
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("stopped", [[], [0], [1], [2], [1, 2]])
def test_nothing_outlives_the_service(stopped: list[int]) -> None:
    """WK-04 Nor what stands still: the service itself, the keeper, the worker, or both of them."""
    with service() as pids:
        assert len(pids) == 4
        pidfds = watch(pids)
        for place in stopped:
            os.kill(pids[place], signal.SIGSTOP)
        os.kill(pids[0], signal.SIGKILL)
        assert still_alive_after(pidfds, LIMIT) == set()


def test_ctrl_c_in_the_terminal_reaches_the_service_alone() -> None:
    """Its keeper is of another session, and ends in order, with it."""
    with service() as pids:
        assert all(os.getsid(pid) != os.getsid(pids[0]) for pid in pids[1:])
        pidfds = watch(pids)
        os.kill(pids[0], signal.SIGINT)
        assert still_alive_after(pidfds, LIMIT) == set()
