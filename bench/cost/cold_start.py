"""From the start of ``failsoft serve`` to the first token, or image, that a client has."""

from __future__ import annotations

import contextlib
import http.client
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from bench.cost.memory import Memory, memory_of
from bench.servers.running import free_port, stop

_PATIENCE = 120.0
_AGAIN = 0.02


class Model(msgspec.Struct, frozen=True):
    """Say what is served. ends_with: the event that a client waits for."""

    name: str
    kind: str
    source: str
    path: str = "/generate"
    ends_with: bytes = b"event: chunk"

    def tree(self) -> str:
        """Give the file for ``failsoft serve``."""
        return (
            f'[models.one]\nkind = "{self.kind}"\nsource = "{self.source}"\nthreads = 1\n\n'
            '[routes.one]\nmodels = ["one"]\n'
        )


class Started(msgspec.Struct, frozen=True):
    """Tell how long it took, in seconds, and what the processes hold once it has answered."""

    listens: float
    first: float
    memory: tuple[Memory, ...]


def cold_start(model: Model) -> Started:
    """Start a service, ask at once and until it answers, and stop it.

    Raises:
        RuntimeError: it ended, or didn't answer in two minutes; what it wrote is in the message.
    """
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as written:
        tree = Path(folder) / "tree.toml"
        tree.write_text(model.tree())
        port = free_port()
        serve = ("-m", "failsoft.service", "serve", str(tree), "--port", str(port))
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *serve], stdout=written, stderr=written, start_new_session=True
        )
        try:
            listens = 0.0
            while process.poll() is None and time.perf_counter() - began < _PATIENCE:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
                with (
                    contextlib.suppress(OSError, http.client.HTTPException),
                    contextlib.closing(connection),
                ):
                    connection.connect()
                    listens = listens or time.perf_counter() - began
                    if _is_answered(connection, model):
                        first = time.perf_counter() - began
                        return Started(listens, first, tuple(memory_of(process.pid)))
                time.sleep(_AGAIN)
            written.seek(0)
            said = written.read()[-4000:].decode(errors="replace")
            raise RuntimeError(f"failsoft serve doesn't answer; it wrote:\n{said}")
        finally:
            stop(process)


def _is_answered(connection: http.client.HTTPConnection, model: Model) -> bool:
    """Ask for a stream; tell whether what is waited for has come."""
    body = msgspec.json.encode({"prompt": "hello", "stream": True})
    connection.request("POST", model.path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status == 200 and any(line.startswith(model.ends_with) for line in answer)
