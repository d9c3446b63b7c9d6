"""``python -m bench cluster [--quick]``."""

from __future__ import annotations

import argparse
import asyncio
import logging

import structlog

from bench import charts
from bench.cluster.gap import gap
from bench.cluster.ray_peer import SETTINGS
from bench.cluster.ways import ways
from bench.report import OUTPUT, Measuring
from failsoft.service.smollm2 import ensure_smollm2

_ABOUT = (
    "What it costs to have a model on another machine (here by loopback), and how long the reader"
    " of a stream waits when its worker is killed and another one goes on."
)
_REQUESTS, _ROUNDS, _KILLS = 10_000, 5, 5
_QUICK_REQUESTS, _QUICK_ROUNDS, _QUICK_KILLS = 2_000, 3, 2


def main(arguments: list[str]) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m bench cluster", description=_ABOUT)
    parser.add_argument("--quick", action="store_true", help="in under half a minute, roughly")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    options = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    found = Measuring("cluster", _ABOUT, arguments)
    found.names("ray", "torch", "transformers")
    found.settings |= {
        "over TCP": "by loopback, with the handshake of a worker that is placed elsewhere",
        "Ray": SETTINGS,
        "the stream": f"SmolLM2-135M in float32, torch threads: {options.threads}; two replicas",
    }
    requests, rounds, kills = (
        (_QUICK_REQUESTS, _QUICK_ROUNDS, _QUICK_KILLS)
        if options.quick
        else (_REQUESTS, _ROUNDS, _KILLS)
    )
    found.figures += asyncio.run(ways(requests=requests, rounds=rounds))
    found.figures += asyncio.run(gap(ensure_smollm2(), options.threads, kills))
    found.charts += charts.ratios(found.figures, OUTPUT / "cluster")
    found.write()
