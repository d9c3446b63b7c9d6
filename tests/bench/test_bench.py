"""The command that runs benchmarks by name."""

from __future__ import annotations

import signal
import sys
from types import SimpleNamespace

import pytest
from bench import __main__ as command
from bench import page, peers
from bench.names import BENCHMARKS


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stay in this environment, and leave no page and no handler behind."""
    monkeypatch.setattr(peers, "enter", lambda arguments: None)
    monkeypatch.setattr(page, "main", lambda arguments: 0)
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)


def test_a_name_that_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    """Lists those that are."""
    assert command.main(["nothing"]) == 2
    assert "'nothing'; there is: runtime, supervise" in capsys.readouterr().err


def test_one_that_fails_holds_no_other_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All are run, with the same options, and the status says that one failed."""
    ran: list[tuple[str, list[str]]] = []

    def in_a_process(name: str, options: list[str]) -> int:
        ran.append((name, options))
        return int(name == "http")

    monkeypatch.setattr(command, "_in_a_process", in_a_process)
    assert command.main(["--quick"]) == 1
    assert ran == [(name, ["--quick"]) for name in BENCHMARKS]
    assert "http FAILED" in capsys.readouterr().err


def test_one_alone_is_run_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its own options; chaos is the one of the servers."""
    asked: list[list[str]] = []
    monkeypatch.setitem(sys.modules, "bench.chaos", SimpleNamespace(main=asked.append))
    assert command.main(["chaos", "--quick"]) == 0
    assert asked == [["--quick"]]
