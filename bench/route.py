"""What the way through a router costs over a bare ask: ``python -m bench route``.

The model is an actor that answers at once, so that all that is measured is the way: the router's
mailbox, its breaker, queue, budget and level of degradation, and the answer's way back.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from time import process_time

import msgspec
import structlog

from bench.paired import Paired, compare
from failsoft.actors import Actor, System, handles
from failsoft.messages import GenerateText, TextReply, Usage
from failsoft.supervisors import candidate, router

OUTPUT = Path("build/bench/route.json")
REQUEST = GenerateText("hello", max_tokens=16)
REPLY = TextReply("hello", "stop", Usage(1, 1))
MOST_OVERHEAD_US = 15.0


class Echo(Actor):
    @handles(GenerateText)
    def generate(self, request: GenerateText) -> TextReply:
        return REPLY


async def bare_ask(operations: int) -> float:
    async with System() as system:
        ref = await system.spawn(Echo, "echo")
        began = process_time()
        for _ in range(operations):
            await ref.ask(REQUEST)
        return process_time() - began


async def routed_ask(operations: int) -> float:
    async with System() as system:
        spec = router("text", candidate("first", Echo), candidate("second", Echo))
        ref = await system.spawn(spec.start, "text")
        began = process_time()
        for _ in range(operations):
            await ref.ask(REQUEST)
        return process_time() - began


def measure(rounds: int) -> tuple[Paired, ...]:
    return (
        compare(
            *("ask through a router", routed_ask, "a bare ask", bare_ask),
            operations=10_000,
            rounds=rounds,
        ),
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.route", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="rounds to take the median of")
    options = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    pairs = measure(options.rounds)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_bytes(msgspec.json.format(msgspec.json.encode(pairs)))
    for pair in pairs:
        print(pair)
    overhead = pairs[0].ours_us.median - pairs[0].peer_us.median
    print(f"{'the way costs':<22} {overhead:.1f} µs, at most {MOST_OVERHEAD_US:g} µs")
    print(f"written to {OUTPUT}")


if __name__ == "__main__":
    main()
