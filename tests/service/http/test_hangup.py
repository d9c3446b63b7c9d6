"""SIGHUP: what ``serve`` is told to do then is done, as often as it comes, one at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os, signal, sys
from failsoft import Actor, child, supervisor
from failsoft.service.http import failsoft_app, serve

calls = 0

class Caller(Actor):
    async def on_start(self):
        os.kill(os.getpid(), signal.SIGHUP)

async def on_hangup():
    global calls
    calls += 1
    if calls == 1:
        os.kill(os.getpid(), signal.SIGHUP)
        raise RuntimeError("the first one fails")
    os.kill(os.getpid(), signal.SIGTERM)

serve(failsoft_app(supervisor("root", child("caller", Caller))), port=0, on_hangup=on_hangup)
print(calls)
"""


def test_it_is_called_again_where_it_failed_or_was_wanted_meanwhile(tmp_path: Path) -> None:
    """And its failure, which is logged, ends nothing."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM], cwd=tmp_path, capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.decode()
    assert said.splitlines()[-1] == "2"
    assert "the first one fails" in said
