"""mosec.

As its docs advise: a ``Worker`` that ``append_worker`` has in as many processes as there are
workers, with dynamic batching where the model gains by it. Its bound of 3 s for a request
is the others', 30 s where nothing else is asked for.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from mosec import Server, Worker  # type: ignore[import-not-found]  # only the peers have it

from bench.servers.asked import Asked, asked
from bench.servers.model import load

# Its processes are fresh interpreters, and get no more than the environment.
_MODEL = "BENCH_MODEL"


class One(Worker):  # type: ignore[misc]
    """Answer one prompt at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._model = load(os.environ[_MODEL])

    def forward(self, data: dict[str, Any]) -> dict[str, str]:
        return {"text": self._model.answer([data["prompt"]], data["max_tokens"])[0]}


class Several(One):
    """Answer several at once."""

    def forward(self, data: list[dict[str, Any]]) -> list[dict[str, str]]:  # type: ignore[override]
        longest = max(body["max_tokens"] for body in data)
        return [{"text": text} for text in self._model.answer([b["prompt"] for b in data], longest)]


def main(options: Asked) -> None:
    os.environ[_MODEL] = options.model
    # It reads the command line itself.
    sys.argv[1:] = ["--address", "127.0.0.1", "--port", str(options.port)]
    sys.argv += ["--timeout", str(round(1000 * options.timeout)), "--log-level", "warning"]
    server = Server()
    server.append_worker(
        One if options.batch == 1 else Several,
        num=options.workers,
        max_batch_size=options.batch,
        max_wait_time=options.wait_ms if options.batch > 1 else 0,
        route="/generate",
    )
    server.run()


if __name__ == "__main__":
    main(asked())
