"""Ctrl-C, in a real process: once to be asked, twice to be told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PROGRAM = """
    import asyncio, os, signal, sys
    from failsoft.actors import Actor, System, handles
    from failsoft.messages import Message
    from failsoft.supervisors import Supervisor, child

    # One that is started in the background of a shell ignores it, and hands that on.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    class Work(Message, frozen=True):
        pass

    class Busy(Actor):
        shutdown_timeout = float(sys.argv[1])

        @handles(Work)
        async def work(self, _message: Work) -> None:
            print("busy", flush=True)
            try:
                await asyncio.Event().wait()
            finally:
                print("finally", flush=True)

        async def on_stop(self, reason):
            print("on_stop", reason, flush=True)

    async def main():
        async with System() as system:
            await system.spawn(lambda: Supervisor([child("busy", Busy)]), "root")
            system.ref("root/busy").tell(Work())
            try:
                await asyncio.Event().wait()
            finally:
                say_when_quiet(100)

    def say_when_quiet(turns):
        if turns:
            asyncio.get_running_loop().call_soon(say_when_quiet, turns - 1)
        else:
            print("quiet", flush=True)

    if sys.argv[2] == "uvloop":
        import uvloop
        factory = uvloop.new_event_loop
    else:
        factory = asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_ends_a_program_without_a_word_too_many(
    times: int, loop: str, tmp_path: Path
) -> None:
    """RT-20 Once: the actor has its time, then it is killed. Twice: at once. No task is lost."""
    seconds = "0.2" if times == 1 else "60"
    errors = tmp_path / "errors"
    with (
        errors.open("w") as errors_file,
        subprocess.Popen(
            [sys.executable, "-X", "dev", "-c", textwrap.dedent(PROGRAM), seconds, loop],
            stdout=subprocess.PIPE,
            stderr=errors_file,
            text=True,
            env={**os.environ, "PYTHONWARNINGS": "error"},
        ) as program,
    ):
        assert program.stdout is not None
        assert program.stdout.readline() == "busy\n"
        program.send_signal(signal.SIGINT)
        if times == 2:  # after one, it's quiet before or after the actor's time is over
            assert program.stdout.readline() == "quiet\n"
            program.send_signal(signal.SIGINT)
        output = program.stdout.read()
    assert "finally\n" in output
    assert "on_stop killed\n" in output
    said = errors.read_text()
    assert "never" not in said  # retrieved, awaited
    assert "destroyed" not in said
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert program.returncode == -signal.SIGINT
