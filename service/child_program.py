"""Run a child program that cannot outlive this process, and watch what it prints."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence

TICK_SECONDS = 0.2
TAIL_LINES = 40
MOST_LINE_BYTES = 65_536
_CHUNK_BYTES = 65_536

# The kernel keeps the death signal over exec, so this prelude ties any program to its parent,
# also to one that gets SIGKILL. Not set between fork and exec by ``preexec_fn``: that is unsafe
# in a process with threads.
_TIE_TO_PARENT = """
import os, sys
if sys.platform == "linux":
    import ctypes, signal
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        os._exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""


def run_child(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] = lambda line: None,
    on_tick: Callable[[], None] = lambda: None,
) -> tuple[int, list[str]]:
    """Run ``command`` to its end; give its exit status and its last 40 lines.

    on_line: called with each line of its output (stdout and stderr together); a line of more
        than 64 KiB comes in parts.
    on_tick: called at least every 0.2 s meanwhile. What either raises ends the child at once
        and is raised from here; so does KeyboardInterrupt.
    """
    # Isolated: no file of the folder we happen to be in is taken for a module.
    tied = [sys.executable, "-I", "-S", "-c", _TIE_TO_PARENT, str(os.getpid()), *command]
    child = subprocess.Popen(
        tied,
        env=None if environment is None else {**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert child.stdout is not None
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    try:
        with child.stdout:
            _follow(child.stdout.fileno(), tail, on_line, on_tick)
        return _ended(child, on_tick), list(tail)
    finally:
        child.kill()
        child.wait()


def _ended(child: subprocess.Popen[bytes], on_tick: Callable[[], None]) -> int:
    """Wait for the end of a child that may have closed its output before; give its status."""
    while True:
        on_tick()
        try:
            return child.wait(TICK_SECONDS)
        except subprocess.TimeoutExpired:
            continue


def _follow(
    output: int, tail: deque[str], on_line: Callable[[str], None], on_tick: Callable[[], None]
) -> None:
    """Read lines from ``output`` until its end."""
    partial = b""
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while True:
            on_tick()
            if not selector.select(TICK_SECONDS):
                continue
            read = os.read(output, _CHUNK_BYTES)
            *lines, partial = (partial + read).split(b"\n")
            if partial and (not read or len(partial) >= MOST_LINE_BYTES):
                lines, partial = [*lines, partial], b""
            for line in lines:
                text = line.decode(errors="replace").rstrip()
                tail.append(text)
                on_line(text)
            if not read:
                return
