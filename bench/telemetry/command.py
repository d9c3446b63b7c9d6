"""The command: measure, print, and write down what came of it."""

from __future__ import annotations

import argparse
import asyncio
import io
from collections.abc import Sequence
from pathlib import Path
from time import process_time

import msgspec
import structlog

from bench import telemetry
from bench.paired import Paired, Spread, compare
from bench.telemetry.asks import bare_ask, http_ask, routed_ask, unheard, worker_ask
from bench.telemetry.generation import Generated, generation
from bench.telemetry.parts import EVERYTHING
from failsoft.messages.log_line import encode_line
from failsoft.service.smollm2 import ensure_smollm2
from failsoft.telemetry import configure_logging

OUTPUT = Path("build/bench/telemetry.json")
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


class Results(msgspec.Struct, frozen=True, omit_defaults=True):
    """Hold all that was measured."""

    unheard_ns: Spread | None = None
    line_us: Spread | None = None
    paired: tuple[Paired, ...] = ()
    generation: Generated | None = None


def measure(parts: Sequence[str], rounds: int, tokens: int) -> Results:
    """Measure the parts, one after the other."""
    results = asks(rounds) if "asks" in parts else Results()
    if "generation" in parts:
        made = asyncio.run(generation(ensure_smollm2(), tokens, 4 * rounds))
        results = msgspec.structs.replace(results, generation=made)
    return results


def asks(rounds: int) -> Results:
    """Measure all but generation."""
    combined = [(name,) for name in EVERYTHING] + [EVERYTHING]
    pairs = [
        compare(
            *("bare ask, all on", bare_ask(*EVERYTHING), "none", bare_ask()),
            operations=10_000,
            rounds=rounds,
            at_least=LEAST_RATIO,
        ),
        *(
            compare(
                *(f"{way}, {'+'.join(part)}", ask(*part), "none", ask()),
                operations=2_000,
                rounds=rounds,
            )
            for way, ask in (("routed", routed_ask), ("http", http_ask))
            for part in combined
        ),
        compare(
            *("a worker's, all on", worker_ask(*EVERYTHING), "none", worker_ask()),
            operations=500,
            rounds=max(1, rounds // 2),
            at_least=LEAST_RATIO,
        ),
    ]
    nanoseconds = [asyncio.run(unheard(200_000)) for _ in range(rounds)]
    return Results(Spread.of(nanoseconds), line_us(rounds), tuple(pairs))


def main(arguments: list[str] | None = None) -> None:
    """Run, print, and write the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m bench telemetry", description=telemetry.__doc__
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds to take the median of")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--tokens", type=int, default=64, help="of each text that is generated")
    options = parser.parse_args(arguments)
    configure_logging(Nowhere())
    try:
        results = measure(options.only, options.rounds, options.tokens)
    finally:
        structlog.reset_defaults()
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    if results.unheard_ns is not None:
        print(
            f"an event, unheard      {results.unheard_ns:.0f} ns, at most {MOST_UNHEARD_NS:.0f} ns"
        )
    if results.line_us is not None:
        print(f"a log line             {results.line_us:.1f} µs")
    for pair in results.paired:
        print(pair)
    if results.generation is not None:
        print(results.generation)
    print(f"written to {OUTPUT}")
