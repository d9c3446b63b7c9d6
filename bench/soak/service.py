"""The service: ``failsoft serve`` as anybody starts it, its files in a folder of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from asyncio.subprocess import DEVNULL, Process
from pathlib import Path
from signal import SIGHUP, SIGTERM

from bench.soak.log import ServiceLog
from bench.soak.reloads import TREE
from failsoft.testing.processes import descendants

_STARTS_WITHIN = 120.0
# Above the tree's grace.
_ENDS_WITHIN = 30.0
# The kernel keeps this over exec: the service ends with us, whatever ends us.
_TIED = """
import os, sys
from failsoft.gpu.process.prctl import tie_to_parent
tie_to_parent(int(sys.argv[1]))
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""
_MARK = "SOAK_FOLDER"


class Service:
    """Run the service in ``folder``, which is emptied before. webhook: where its alerts go."""

    def __init__(self, folder: Path, webhook: str) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("tmp", "flight"):
            (folder / name).mkdir(parents=True)
        self.tree = TREE.read_text(encoding="utf-8")
        self.url = ""
        self.log = ServiceLog(folder / "service.log")
        self._folder = folder
        self._mark = f"{_MARK}={folder.resolve()}"
        self._environment = {
            **os.environ,
            "TMPDIR": str((folder / "tmp").resolve()),
            "SOAK_WEBHOOK": webhook,
            _MARK: str(folder.resolve()),
        }

    @property
    def pid(self) -> int:
        return self._process.pid

    async def start(self) -> None:
        """Start it, and wait until it listens. Raise RuntimeError where it doesn't."""
        self._write(self.tree)
        serve = ("-P", "-m", "failsoft.service", "serve", "tree.toml", "--port", "0")
        with (self._folder / "service.log").open("wb") as log:
            self._process: Process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-c", _TIED, str(os.getpid()), *serve),
                cwd=self._folder,
                env=self._environment,
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
            )
        async with asyncio.timeout(_STARTS_WITHIN):
            while not self.url:
                self.url = self.log.address or ""
                if self._process.returncode is not None:
                    raise RuntimeError(f"the service ended; see {self._folder}/service.log")
                await asyncio.sleep(0.1)

    def reload(self, tree: str) -> None:
        """Have it read another file."""
        self._write(tree)
        self._process.send_signal(SIGHUP)

    async def end(self) -> int | None:
        """Tell it to end; give its exit status, None where it doesn't."""
        self._process.send_signal(SIGTERM)
        try:
            async with asyncio.timeout(_ENDS_WITHIN):
                return await self._process.wait()
        except TimeoutError:
            return None

    def kill(self) -> None:
        """End it, whatever state it is in. Its workers go with it."""
        if self._process.returncode is None:
            self._process.kill()

    def outside(self) -> list[str]:
        """Give the processes that it has started, or theirs, and that aren't below it any more."""
        family = {self.pid, *(process.pid for process in descendants(self.pid))}
        return [f"{_name(pid)} (pid {pid})" for pid in _marked(self._mark) if pid not in family]

    def shared(self) -> set[str]:
        """Give the files in shared memory that its processes use now."""
        return {file for pid in _marked(self._mark) for file in _shared_by(pid)}

    def temporary(self) -> set[str]:
        """Give the files in its temporary folder."""
        return {str(path) for path in (self._folder / "tmp").rglob("*")}

    def left_of(self, shared: set[str], before: set[str]) -> list[str]:
        """Give the shared files that are still there, and the temporary ones but ``before``."""
        there = {file for file in shared if Path(file).exists()}
        return sorted(there | (self.temporary() - before))

    def _write(self, tree: str) -> None:
        stage = self._folder / "tree.toml.new"
        stage.write_text(tree, encoding="utf-8")
        stage.replace(self._folder / "tree.toml")


def _marked(mark: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_ours = mark.encode() in (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if is_ours:
            found.append(int(folder.name))
    return found


def _shared_by(pid: int) -> set[str]:
    try:
        lines = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    # What has no name any more is followed by a word that says so.
    return {line.split(maxsplit=5)[5] for line in lines if "/dev/shm/" in line}


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return "gone"
