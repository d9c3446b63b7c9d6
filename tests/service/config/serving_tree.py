"""A tree's file that is served, in a process of its own, for tests."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx2
import msgspec

# Far above what anything here takes: a test that would hang fails instead.
PATIENCE = 180.0


class ServedTree:
    """Run ``failsoft serve``; its greeting and its log are read line by line."""

    def __init__(self, folder: Path, *words: str, environ: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        command = [sys.executable, "-P", "-m", "failsoft.service", "serve", *words, "--port", "0"]
        self.process = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={**os.environ, "HF_HUB_OFFLINE": "1", **(environ or {})},
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self.log: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.greeting = [self._line()]
        while not self.greeting[-1].startswith("An OpenAI client"):
            self.greeting.append(self._line())
        self.url = self.greeting[0].rpartition(" ")[2]
        self.until("serving")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)

    def client(self) -> httpx2.Client:
        # Until a model has loaded, on a machine that has much else to do.
        headers = {"X-Request-Timeout": "110"}
        return httpx2.Client(base_url=self.url, timeout=PATIENCE, headers=headers)

    def ask(self, prompt: str, model: str | None = None) -> dict[str, Any]:
        """Ask for a text; give the whole answer."""
        with self.client() as client:
            answer: dict[str, Any] = client.post(
                "/generate", json={"prompt": prompt, "model": model}
            ).json()
            return answer

    def node(self, path: str) -> dict[str, Any]:
        """Give an actor's node of the tree."""
        with self.client() as client:
            nodes: list[dict[str, Any]] = client.get("/tree").json()
        while nodes:
            node = nodes.pop()
            if node["path"] == path:
                return node
            nodes += node["children"]
        raise LookupError(path)

    def until(self, event: str, **fields: object) -> dict[str, Any]:
        """Read the log until there is such a line; give it."""
        while True:
            line: dict[str, Any] = msgspec.json.decode(self._line())
            self.log.append(line)
            if line["event"] == event and fields.items() <= line.items():
                return line

    def reload(self, text: str, until: str = "reload.done") -> list[str]:
        """Have it read a new file; give what it says of the changes, once that is done."""
        (self.folder / "tree.toml").write_text(text)
        begins = len(self.log)
        self.process.send_signal(signal.SIGHUP)
        self.until(until)
        said = self.log[begins:]
        return [line["change"] for line in said if line["event"] == "reload.change"]

    def _line(self) -> str:
        line = self._lines.get(timeout=PATIENCE)
        assert line, f"it ended: {self.process.wait()}"
        return line.rstrip("\n")

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put("")
