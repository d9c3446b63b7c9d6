"""Talk to the peer's process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec

from bench.engines.texts import Text
from bench.engines.took import Took

_LONGEST_LINE = 16 * 1024 * 1024


class BareProcess:
    """Have a process of ``bare`` do one thing after the other."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def serve(self, texts: Sequence[Text]) -> Took:
        """Have ``texts`` answered in static batches."""
        return await self._do({"type": "Serve", "texts": texts})

    async def load_anew(self, *, all_imported: bool = False) -> Took:
        """Have the model loaded in a fresh fork of a process that has torch imported.

        all_imported: all of transformers that a load needs, too.
        """
        return await self._do({"type": "LoadAnew", "all_imported": all_imported})

    async def _do(self, command: object) -> Took:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(msgspec.json.encode(command) + b"\n")
        line = await process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer ended with status {await process.wait()}")
        return msgspec.json.decode(line, type=Took)


@contextlib.asynccontextmanager
async def bare_process(folder: Path, threads: int) -> AsyncIterator[BareProcess]:
    """Run a process of ``bare`` with the model in ``folder``; end it when the block is left."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.engines.bare", str(folder), str(threads)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LONGEST_LINE,
        env={**os.environ, "HF_HUB_DISABLE_PROGRESS_BARS": "1"},
    )
    try:
        yield BareProcess(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
