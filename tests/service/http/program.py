"""A service to be tested: ``program.py DESCRIPTOR FOLDER``.

It listens on the socket DESCRIPTOR; where there is FOLDER/gate, requests to wait do so there.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from failsoft.actors import Actor, handles, streams
from failsoft.gpu.process.prctl import tie_to_parent
from failsoft.gpu.script import Die, Echo, Raise, RunOutOfMemory, Say, Script, WaitFor, When
from failsoft.gpu.scripted import scripted
from failsoft.messages import (
    Embed,
    EmbeddingReply,
    GenerateImage,
    GenerateText,
    GenerationFailed,
    ImageProgress,
    ImageReply,
    TextChunk,
    TextReply,
    Usage,
)
from failsoft.service.http import ApiKeys, Caller, HttpPolicy, failsoft_app, hashed, serve
from failsoft.supervisors import (
    Admission,
    Backoff,
    ChildSpec,
    Limit,
    candidate,
    child,
    model,
    router,
    supervisor,
)
from failsoft.telemetry import (
    ErrorLog,
    ErrorsActor,
    Health,
    HealthActor,
    Metrics,
    MetricsActor,
    configure_logging,
)

KEY = "a-key-of-the-tests-own"
OPERATOR_TOKEN = "an-operator-of-the-tests"
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\nnot quite").decode()
SLOW_READER_LIMIT = 1.0
GRACE = 60.0
CROWD_WORDS = 30


class Embedding(Actor):
    """Give each text a vector of its length."""

    @handles(Embed)
    def embed(self, request: Embed) -> EmbeddingReply:
        vectors = tuple((float(len(text)), 0.5) for text in request.texts)
        return EmbeddingReply(vectors, 2, Usage(len(request.texts), 0))


class Painting(Actor):
    """Give the same image, of the size that is asked for."""

    @handles(GenerateImage)
    def paint(self, request: GenerateImage) -> ImageReply:
        steps = request.num_inference_steps
        return ImageReply(PNG, request.width, request.height, request.seed or 7, steps)

    @streams(GenerateImage)
    async def paint_in_steps(self, request: GenerateImage) -> AsyncIterator[ImageProgress]:
        steps = request.num_inference_steps
        for step in range(1, steps + 1):
            yield ImageProgress(step, steps)
            if request.prompt == "half":
                raise GenerationFailed("It broke.")
        yield ImageProgress(steps, steps, self.paint(request), warning="Painted from memory.")


class Crowd(Actor):
    """Answer any number of texts side by side."""

    @handles(GenerateText)
    def generate(self, request: GenerateText) -> TextReply:
        return TextReply(f"for {request.tenant!r}, {request.priority}", "stop", Usage(1, 1))

    @streams(GenerateText, interleave=True)
    async def stream(self, _request: GenerateText) -> AsyncIterator[TextChunk]:
        for number in range(CROWD_WORDS):
            await asyncio.sleep(0.02)
            yield TextChunk(f"{number} ")
        yield TextChunk("", 0, "stop", Usage(1, CROWD_WORDS))


def script(gate: Path) -> Script:
    return Script(
        rules=[
            When("wait", [WaitFor(str(gate)), Say("waited")]),
            When("begin", [Say("begun "), WaitFor(str(gate)), Say("ended")]),
            When("count", [Say("one two three four")]),
            When("endless", [Say("word ", times=1_000_000, delay=0.01)]),
            When("flood", [Say("x" * 20_000 + " ", times=2000)]),
            When("memory", [RunOutOfMemory()]),
            When("too long", [Raise("context_length_exceeded", "The prompt is too long.")]),
            When("overload", [Raise("model_overloaded", "Not now.")]),
            When("half", [Say("one two "), Raise("generation_failed", "It broke.")]),
            When("invalid", [Raise("invalid_input", "Not that.")]),
            When("deadly", [Die()]),
        ],
        otherwise=[Echo()],
    )


def tree(folder: Path) -> ChildSpec:
    worker = functools.partial(scripted, script(folder / "gate"))
    alone = {"retries": 0, "breaker": None}
    return supervisor(
        "root",
        supervisor(
            "telemetry",
            child("metrics", functools.partial(MetricsActor, Metrics())),
            child("errors", functools.partial(ErrorsActor, ErrorLog())),
            child("health", functools.partial(HealthActor, Health([]))),
        ),
        router("text", model("primary", worker()), **alone, backoff=Backoff(base=0.1)),
        # Gives its worker one request at a time, so that the next one shows that the last is over.
        router("single", model("only", worker(), max_in_worker=1), **alone),
        router("crowd", candidate("all", Crowd), admission=Admission(limit=Limit.fixed(256))),
        router("embeddings", candidate("lengths", Embedding), requests=(Embed,), **alone),
        router("images", candidate("painting", Painting), requests=(GenerateImage,), **alone),
    )


def told(folder: Path, name: str, default: float) -> float:
    """Give the number in a file of ``folder``, where there is that file."""
    file = folder / name
    return float(file.read_text()) if file.exists() else default


def main() -> None:
    tie_to_parent(os.getppid())
    descriptor, folder = int(sys.argv[1]), Path(sys.argv[2])
    configure_logging(sys.stderr, level="info")
    keys = {hashed(KEY): Caller("somebody", 3)} if (folder / "keys").exists() else None
    app = failsoft_app(
        tree(folder),
        policy=HttpPolicy(
            slow_reader_limit=SLOW_READER_LIMIT,
            keep_alive=int(told(folder, "keep_alive", HttpPolicy().keep_alive)),
            max_body_bytes=1_000_000,
        ),
        keys=None if keys is None else ApiKeys(keys),
        operator_hash=hashed(OPERATOR_TOKEN) if (folder / "operator").exists() else None,
    )
    serve(app, sockets=[socket.socket(fileno=descriptor)], grace=told(folder, "grace", GRACE))


if __name__ == "__main__":
    main()
