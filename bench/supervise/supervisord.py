"""supervisord, with a program that answers on a Unix socket (``socket_program``).

Whoever asks connects anew, and asks again, until there is an answer or the time is over.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from bench.supervise.model import serving
from bench.supervise.peer import Unanswered

LOAD_SECONDS = 120.0
_AGAIN_SECONDS = 0.02
SETTINGS = (
    "autorestart=true, stopasgroup=true, killasgroup=true, else the defaults (startsecs 1,"
    f" startretries 3); the caller connects and asks again every {_AGAIN_SECONDS * 1000:g} ms"
)
_CONFIG = """\
[supervisord]
nodaemon=true
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
childlogdir={folder}

[program:model]
command={python} -m bench.supervise.socket_program {model} {folder}/socket
directory={here}
autorestart=true
stopasgroup=true
killasgroup=true
"""


class Supervisord:
    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self._process = process
        self._folder = folder

    async def ask(self, prompt: str, steps: int, seconds: float) -> str:
        try:
            return await asyncio.wait_for(self._ask_until_answered(prompt, steps), seconds)
        except TimeoutError as error:
            raise Unanswered("TimeoutError") from error

    async def ready(self) -> None:
        await self.ask("hello", 1, LOAD_SECONDS)

    def worker(self) -> int:
        return serving(self._folder)

    def parent(self) -> int:
        return self._process.pid

    async def _ask_until_answered(self, prompt: str, steps: int) -> str:
        while True:
            with contextlib.suppress(OSError, EOFError):
                return await self._ask_once(prompt, steps)
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _ask_once(self, prompt: str, steps: int) -> str:
        reader, writer = await asyncio.open_unix_connection(self._folder / "socket")
        try:
            writer.write(msgspec.json.encode((prompt, steps)) + b"\n")
            line = await reader.readuntil(b"\n")
        finally:
            writer.close()
        error, text = msgspec.json.decode(line, type=tuple[str, str])
        if error:
            raise Unanswered(error)
        return text


@contextlib.asynccontextmanager
async def running(model: str, folder: Path) -> AsyncIterator[Supervisord]:
    config = folder / "supervisord.conf"
    config.write_text(
        _CONFIG.format(folder=folder, python=sys.executable, model=model, here=Path.cwd())
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "supervisor.supervisord", "-c", str(config)),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        peer = Supervisord(process, folder)
        await peer.ready()
        yield peer
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await process.wait()
