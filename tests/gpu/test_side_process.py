"""A program beside the service: what can be written to it, and when no more."""

from __future__ import annotations

import sys

import pytest

from failsoft.gpu.process.side_process import SideProcess
from failsoft.gpu.process.worker_log import WorkerLine

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("clean_loop")]

PATIENCE = 20.0
ECHO = (sys.executable, "-c", "print(input(), flush=True); input()")


@pytest.mark.parametrize("ends_by_itself", [True, False])
async def test_what_is_written_too_late_is_refused(ends_by_itself: bool) -> None:
    """Whether its input was ended, or it has ended itself: as with any pipe."""
    lines, statuses = list[WorkerLine](), list[int]()
    process = SideProcess(ECHO, on_line=lines.append, on_exit=statuses.append, has_input=True)
    process.write(b"hello\n")
    if ends_by_itself:
        process.write(b"and out\n")
    else:
        process.end_input()
    await process.ended(PATIENCE)
    assert lines[0].event == "hello"
    assert len(statuses) == 1
    with pytest.raises(BrokenPipeError):
        process.write(b"too late\n")
