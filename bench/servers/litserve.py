"""LitServe.

As its docs advise: batches set on the API, ``fast_queue`` for more than 100 requests a second,
``restart_workers``, as many HTTP processes as there are workers, which is its default. 0.2.19 takes
``fast_queue`` and ignores it; with ZeroMQ forced on it, it answered nothing.
"""

from __future__ import annotations

from typing import Any

import litserve  # type: ignore[import-not-found]  # only the peers have it

from bench.servers.asked import Asked, asked
from bench.servers.model import load


class Api(litserve.LitAPI):  # type: ignore[misc]
    """Answer one prompt at a time."""

    def __init__(self, model: str, **options: Any) -> None:
        super().__init__(api_path="/generate", **options)
        self._name = model

    def setup(self, device: str) -> None:
        self._model = load(self._name)

    def predict(self, body: dict[str, Any]) -> dict[str, str]:
        return {"text": self._model.answer([body["prompt"]], body["max_tokens"])[0]}


class Batched(Api):
    """Answer several at once."""

    def predict(self, bodies: list[dict[str, Any]]) -> list[dict[str, str]]:  # type: ignore[override]
        longest = max(body["max_tokens"] for body in bodies)
        texts = self._model.answer([body["prompt"] for body in bodies], longest)
        return [{"text": text} for text in texts]

    def batch(self, inputs: list[Any]) -> list[Any]:
        return inputs

    def unbatch(self, output: list[Any]) -> list[Any]:
        return output


def api(options: Asked) -> Api:
    if options.batch == 1:
        return Api(options.model)
    return Batched(options.model, max_batch_size=options.batch, batch_timeout=options.wait_ms / 1e3)


def main(options: Asked) -> None:
    server = litserve.LitServer(
        api(options),
        accelerator="cpu",
        workers_per_device=options.workers,
        timeout=options.timeout,
        fast_queue=True,
        restart_workers=True,
    )
    server.run(
        host="127.0.0.1",
        port=options.port,
        log_level="error",
        generate_client_file=False,
        access_log=False,
    )


if __name__ == "__main__":
    main(asked())
