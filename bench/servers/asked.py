"""What a server is started with."""

from __future__ import annotations

import argparse
import os

import msgspec

from bench.servers.model import MODELS

# How many prompts a server that batches computes at once, and for how many milliseconds it waits
# for them, where the environment names no numbers.
BATCH, WAIT_MS = "BENCH_BATCH", "BENCH_WAIT_MS"
_BATCHES = {"noop": 1}
_BATCH, _WAIT_MS = 4, 10
# Seconds after which a server gives a request up, where ``TIMEOUT`` names none.
TIMEOUT = "BENCH_TIMEOUT"
_TIMEOUT = 30.0


class Asked(msgspec.Struct, frozen=True):
    """Tell where to listen, what to serve in how many workers, and how prompts are batched.

    timeout: the seconds that a request may take.
    """

    port: int
    model: str
    workers: int
    batch: int
    wait_ms: int
    timeout: float


def asked() -> Asked:
    """Read the command line, and the environment."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model", choices=MODELS, required=True)
    parser.add_argument("--workers", type=int, default=1)
    said = parser.parse_args()
    batch = int(os.environ.get(BATCH) or _BATCHES.get(said.model, _BATCH))
    wait_ms = int(os.environ.get(WAIT_MS) or _WAIT_MS)
    timeout = float(os.environ.get(TIMEOUT) or _TIMEOUT)
    return Asked(said.port, said.model, said.workers, batch, wait_ms, timeout)
