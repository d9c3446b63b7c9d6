"""mosec that streams texts, batched.

As its docs advise: an ``SSEWorker`` that sends an event of each text with its index in the batch,
``max_batch_size`` and ``max_wait_time`` where it is appended. A batch takes no more texts in once
it has begun. Its bound for a request, 3 s where nothing else is asked for, is the others'.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import msgspec
from mosec import Server, SSEWorker

from bench.servers.asked import Asked, asked
from bench.servers.completion_events import Ask, events_of
from bench.servers.model import load

# Its workers are fresh interpreters, and get no more than the environment.
_MODEL = "BENCH_MODEL"


class Texts(SSEWorker):
    """Make texts with the model that the environment names."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._model: Any = load(os.environ[_MODEL])

    def forward(self, data: list[dict[str, Any]]) -> list[dict[str, Any]]:
        texts = msgspec.convert(data, list[Ask])
        prompts = [text.prompt for text in texts]
        for events in events_of(self._model.streams(prompts, [text.max_tokens for text in texts])):
            for index, event in enumerate(events):
                if event:
                    self.send_stream_event(event, index=index)
        return data


def main(options: Asked) -> None:
    # It reads the command line itself.
    os.environ[_MODEL] = options.model
    sys.argv[1:] = ["--address", "127.0.0.1", "--port", str(options.port)]
    sys.argv += ["--timeout", str(round(1e3 * options.timeout)), "--log-level", "error"]
    server = Server()  # type: ignore[no-untyped-call]
    server.append_worker(
        Texts,
        num=options.workers,
        max_batch_size=options.batch,
        max_wait_time=options.wait_ms,
        route="/v1/completions",
    )
    server.run()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main(asked())
