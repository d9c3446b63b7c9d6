"""LitServe that streams texts, batched.

As its docs advise: ``max_batch_size`` and ``batch_timeout`` on the API, ``stream=True``, and
``predict`` a generator that yields a list, one item for each text. A batch takes no more texts in
once it has begun.
"""

# No annotations from the future: FastAPI is to read those of the request and of the response.
from collections.abc import Iterator
from typing import Any

import litserve  # type: ignore[import-untyped]  # it has no stubs
import msgspec

from bench.servers.asked import Asked, asked
from bench.servers.completion_events import Ask, events_of
from bench.servers.model import load


class Texts(litserve.LitAPI):  # type: ignore[misc]
    """Make texts with the model of that name."""

    def __init__(self, options: Asked) -> None:
        super().__init__(
            max_batch_size=options.batch,
            batch_timeout=options.wait_ms / 1e3,
            stream=True,
            api_path="/v1/completions",
        )
        self._name = options.model

    def setup(self, device: str) -> None:
        self._model: Any = load(self._name)

    def decode_request(self, request: dict[str, Any]) -> Ask:
        return msgspec.convert(request, Ask)

    def predict(self, texts: list[Ask]) -> Iterator[list[str]]:
        prompts = [text.prompt for text in texts]
        yield from events_of(self._model.streams(prompts, [text.max_tokens for text in texts]))

    def unbatch(self, output: Iterator[list[str]]) -> Iterator[list[str]]:
        yield from output

    def encode_response(self, output: Iterator[list[str]]) -> Any:
        for events in output:
            yield [f"data: {event}\n\n" if event else "" for event in events]


def main(options: Asked) -> None:
    server = litserve.LitServer(
        Texts(options),
        accelerator="cpu",
        workers_per_device=options.workers,
        timeout=options.timeout,
        restart_workers=True,
    )
    server.run(host="127.0.0.1", port=options.port, generate_client_file=False, log_level="error")


if __name__ == "__main__":
    main(asked())
