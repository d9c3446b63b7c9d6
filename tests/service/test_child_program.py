"""A child program is watched to its end, in bounded memory, and ended where the watcher fails."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from failsoft.service.child_program import MOST_LINE_BYTES, TAIL_LINES, run_child


def program(code: str) -> list[str]:
    return [sys.executable, "-I", "-c", code]


def test_status_and_last_lines() -> None:
    """Both outputs come line by line, the last one without its newline too."""
    seen: list[str] = []
    code = (
        "import os, sys; os.write(2, b'first\\n'); print('\\n'.join(map(str, range(50))));"
        "print(os.environ['GREETING'], end='', flush=True); sys.exit(3)"
    )
    status, tail = run_child(program(code), environment={"GREETING": "hi"}, on_line=seen.append)
    assert status == 3
    assert seen == ["first", *map(str, range(50)), "hi"]
    assert tail == seen[-TAIL_LINES:]


def test_a_line_without_end_is_cut() -> None:
    """Output that never has a newline is given on in parts, so memory is bounded."""
    seen: list[str] = []
    run_child(program(f"print('x' * {5 * MOST_LINE_BYTES})"), on_line=seen.append)
    assert "".join(seen) == "x" * 5 * MOST_LINE_BYTES
    assert max(map(len, seen)) < 3 * MOST_LINE_BYTES


def test_a_child_that_has_closed_its_output_is_still_watched() -> None:
    """What a tick raises ends the child, though there is nothing left to read."""
    code = "import os, signal; print(os.getpid(), flush=True); os.close(1); os.close(2);"
    pids: list[int] = []
    ticks = iter(range(4))

    def call_off() -> None:
        if pids and next(ticks) == 3:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        run_child(
            program(code + "signal.pause()"),
            on_line=lambda line: pids.append(int(line)),
            on_tick=call_off,
        )
    assert not Path(f"/proc/{pids[0]}").exists()


def test_a_program_that_is_not_there() -> None:
    """It ends with a status, and says why."""
    status, tail = run_child(["/nowhere/program"])
    assert status == 1
    assert "No such file" in tail[-1]
