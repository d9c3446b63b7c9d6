"""What the way through a router costs over a bare ask: ``python -m bench route``.

The model is an actor that answers at once, so that all that is measured is the way: the router's
mailbox, its breaker, queue, budget and level of degradation, and the answer's way back.
"""

from __future__ import annotations

import argparse
import logging
from time import process_time

import structlog

from bench import charts
from bench.figures import Figure, Spread
from bench.paired import compare
from bench.report import OUTPUT, Measuring
from failsoft.actors import Actor, System, handles
from failsoft.messages import GenerateText, TextReply, Usage
from failsoft.supervisors import candidate, router

ROUNDS, QUICK_ROUNDS = 9, 3
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


def measure(rounds: int, operations: int = 10_000) -> list[Figure]:
    """Measure both, and what the way costs by the medians of both."""
    routed = compare(
        *("ask through a router", routed_ask, "a bare ask", bare_ask),
        operations=operations,
        rounds=rounds,
        is_rival=False,
    )
    assert routed.theirs is not None
    way = Figure(
        name="the way through a router",
        unit="µs",
        ours=Spread.of([routed.ours.median - routed.theirs.median]),
        at_most=MOST_OVERHEAD_US,
    )
    return [routed, way]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench route", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few rounds, for a rough look")
    parser.add_argument("--rounds", type=int, help="rounds to take the median of")
    options = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    found = Measuring("route", "what the way through a router costs", arguments)
    found.figures += measure(options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS))
    found.charts += charts.ratios(found.figures, OUTPUT / "route_ratios")
    found.write()
