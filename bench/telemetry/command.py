"""The command: measure, print, and write down what came of it."""

from __future__ import annotations

import argparse
import asyncio
import io
from time import process_time

import structlog

from bench import charts, telemetry
from bench.figures import Figure, Spread
from bench.paired import compare
from bench.report import OUTPUT, Measuring
from bench.telemetry.asks import bare_ask, http_ask, routed_ask, unheard, worker_ask
from bench.telemetry.generation import generation
from bench.telemetry.parts import EVERYTHING
from failsoft.messages.log_line import encode_line
from failsoft.service.smollm2 import ensure_smollm2
from failsoft.telemetry import configure_logging

ROUNDS, QUICK_ROUNDS = 5, 1
NONE = "none"
MOST_UNHEARD_NS = 100.0
LEAST_RATIO = 1 / 1.1
PARTS = ("asks", "generation")


class Nowhere(io.StringIO):
    """Take what is written, and forget it."""

    def write(self, text: str) -> int:
        return len(text)


def line_us(rounds: int, operations: int = 2_000) -> Spread:
    """Give the microseconds that a line of a finished request takes to write."""
    fields = {
        **{"event": "RequestFinished", "level": "info", "path": "root/text", "at": 12.345},
        **{"request": "GenerateText", "outcome": "ok", "seconds": 0.12, "queue_seconds": 0.01},
        **{"first_seconds": None, "model_used": "primary", "was_fallback": False, "attempts": 1},
        **{"degradation_level": "full", "prompt_tokens": 7, "completion_tokens": 5},
        **{"correlation_id": "0f8fad5b-d9cb-469f-a165-70867728950e"},
    }
    times = []
    for _ in range(rounds):
        began = process_time()
        for _ in range(operations):
            encode_line(fields)
        times.append((process_time() - began) / operations * 1e6)
    return Spread.of(times)


def asks(rounds: int) -> list[Figure]:
    """Measure all but generation."""
    combined = [(name,) for name in EVERYTHING] + [EVERYTHING]
    nanoseconds = [asyncio.run(unheard(200_000)) for _ in range(rounds)]
    return [
        Figure(
            name="an event, unheard",
            unit="ns",
            ours=Spread.of(nanoseconds),
            at_most=MOST_UNHEARD_NS,
        ),
        Figure(name="a log line", unit="µs", ours=line_us(rounds)),
        compare(
            *("bare ask, all on", bare_ask(*EVERYTHING), NONE, bare_ask()),
            operations=10_000,
            rounds=rounds,
            at_least=LEAST_RATIO,
            is_rival=False,
        ),
        *(
            compare(
                *(f"{way}, {'+'.join(part)}", ask(*part), NONE, ask()),
                operations=2_000,
                rounds=rounds,
                is_rival=False,
            )
            for way, ask in (("routed", routed_ask), ("http", http_ask))
            for part in combined
        ),
        compare(
            *("a worker's, all on", worker_ask(*EVERYTHING), NONE, worker_ask()),
            operations=500,
            rounds=max(1, rounds // 2),
            at_least=LEAST_RATIO,
            unit="µs by the clock",
            is_rival=False,
        ),
    ]


def main(arguments: list[str]) -> None:
    """Run, print, and write the figures and their chart."""
    parser = argparse.ArgumentParser(
        prog="python -m bench telemetry", description=telemetry.__doc__
    )
    parser.add_argument("--quick", action="store_true", help="few rounds, and no generation")
    parser.add_argument("--rounds", type=int, help="rounds to take the median of")
    parser.add_argument("--only", nargs="+", choices=PARTS)
    parser.add_argument("--tokens", type=int, default=64, help="of each text that is generated")
    options = parser.parse_args(arguments)
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    parts = options.only or (PARTS[:1] if options.quick else PARTS)
    found = Measuring("telemetry", "what telemetry costs", arguments)
    found.names("prometheus-client", "opentelemetry-sdk", "structlog")
    configure_logging(Nowhere())
    try:
        if "asks" in parts:
            found.figures += asks(rounds)
        if "generation" in parts:
            made = generation(ensure_smollm2(), options.tokens, 4 * rounds)
            found.figures += asyncio.run(made)
    finally:
        structlog.reset_defaults()
    found.charts += charts.ratios(found.figures, OUTPUT / "telemetry_ratios")
    found.write()
