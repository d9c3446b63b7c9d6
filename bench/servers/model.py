"""The models that every server serves: plain Python, nothing of ours.

Where ``BENCH_PIDS`` names a folder, a model that has been loaded leaves a file there with its
process's id as the name: so the benchmark knows which process to hit, whoever started it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from bench.servers.smollm2 import SmolLM2

PIDS = "BENCH_PIDS"
# What a prompt that has this in it does to the process that computes it.
POISON = "{poison}"
NO_MEMORY = "{no memory}"


class Model(Protocol):
    """Answer prompts; all at once where a server batches."""

    def answer(self, prompts: Sequence[str], max_tokens: int) -> list[str]: ...

    def stream(self, prompt: str, max_tokens: int) -> Iterator[str]: ...


class Noop:
    """Answer at once, with nothing done for it."""

    def answer(self, prompts: Sequence[str], max_tokens: int) -> list[str]:
        return list(prompts)

    def stream(self, prompt: str, max_tokens: int) -> Iterator[str]:
        yield prompt


class Steady:
    """Take as long as a model would: so much a step, however many prompts are in it.

    The answer is the prompt, so that whoever asked can tell its own.
    """

    load_seconds = 1.0
    step_seconds = 0.01

    def __init__(self) -> None:
        time.sleep(self.load_seconds)

    def answer(self, prompts: Sequence[str], max_tokens: int) -> list[str]:
        _strike(prompts)
        time.sleep(self.step_seconds * max_tokens)
        return list(prompts)

    def stream(self, prompt: str, max_tokens: int) -> Iterator[str]:
        _strike([prompt])
        for number in range(max_tokens):
            time.sleep(self.step_seconds)
            yield f"{number} "


def _strike(prompts: Sequence[str]) -> None:
    if any(POISON in prompt for prompt in prompts):
        os.kill(os.getpid(), signal.SIGSEGV)
    if any(NO_MEMORY in prompt for prompt in prompts):
        raise MemoryError("the model is out of memory")


MODELS: dict[str, type[Model]] = {"noop": Noop, "steady": Steady, "smollm2": SmolLM2}


def load(name: str) -> Model:
    """Load one of ``MODELS`` in this process, and say where it is."""
    model = MODELS[name]()
    if folder := os.environ.get(PIDS):
        (Path(folder) / str(os.getpid())).touch()
    return model
