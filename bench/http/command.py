"""The command: have all take turns, and write down what came of it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from pathlib import Path

import msgspec
import uvloop

from bench import http
from bench.figures import Figure, against, lines_of
from bench.http.load import Sample, send
from bench.http.served import ASKING, ECHO, OURS, SERVED, Served

OUTPUT = Path("build/bench/http.json")
LEAST_OF_ECHO = 0.5
_WARM_UP = 500


async def measure(requests: int, rounds: int, connections: int) -> dict[str, list[Sample]]:
    """Measure each of ``SERVED``, ``rounds`` times, in turns."""
    with contextlib.ExitStack() as stack:
        all_served = [stack.enter_context(Served(name)) for name in SERVED]
        for served in all_served:
            await send(served, _WARM_UP, connections)
        samples: dict[str, list[Sample]] = {name: [] for name in SERVED}
        for _ in range(rounds):
            for served in all_served:
                samples[served.name].append(await send(served, requests, connections))
    return samples


def figures_of(samples: dict[str, list[Sample]], connections: int) -> list[Figure]:
    """Hold each against the peers, round by round."""
    figures: list[Figure] = []
    peers = {ECHO: samples[ECHO], ASKING: samples[ASKING]}
    for name in (name for name in SERVED if name not in peers):
        for peer, theirs in peers.items():
            pairs = list(zip(samples[name], theirs, strict=True))
            figures += [
                against(
                    *(f"{name}, {connections} connections", "requests a second"),
                    [(ours.per_second, its.per_second) for ours, its in pairs],
                    peer=peer,
                    is_rival=False,
                    at_least=LEAST_OF_ECHO if (name, peer) == (OURS, ECHO) else None,
                ),
                against(
                    *(f"{name}, {connections} connections", "µs of processor time a request"),
                    [(ours.processor, its.processor) for ours, its in pairs],
                    peer=peer,
                    less_is_better=True,
                    is_rival=False,
                ),
            ]
    return figures


def main(arguments: list[str] | None = None) -> None:
    """Run, print, and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench http", description=http.__doc__)
    parser.add_argument("--requests", type=int, default=10_000, help="of one sample")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16])
    options = parser.parse_args(arguments)
    figures: list[Figure] = []
    for connections in options.connections:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            samples = runner.run(measure(options.requests, options.rounds, connections))
        figures += figures_of(samples, connections)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_bytes(msgspec.json.format(msgspec.json.encode(figures)))
    for line in lines_of(figures):
        print(line)
    print(f"written to {OUTPUT}")
