"""The demo's cluster: an order that comes too late, and a cluster that can't start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("ray")

from failsoft.service import demo
from failsoft.service.demo_cluster import _kill_node_of


def test_a_node_that_is_gone_is_not_killed_again() -> None:
    """Two blows may find the same one: the second must not take the cluster down."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    _kill_node_of(gone.pid, None, [])


@pytest.mark.usefixtures("plain_logs")
def test_a_cluster_that_cannot_start_is_told_in_a_line(
    smollm2: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And where to look: no traceback is for who runs the demo."""
    monkeypatch.setattr(sys, "executable", "false")
    assert demo.run_demo(tmp_path, cluster=True) == 1
    said = "the demo's cluster could not start (status 1); see demo.log\n"
    assert capsys.readouterr().err == said
