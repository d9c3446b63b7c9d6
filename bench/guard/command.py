"""The command: measure, and hold what comes of it against what is committed."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import structlog

from bench import guard
from bench.figures import Figure
from bench.guard.pairs import PAIRS, measure

COMMITTED = Path(__file__).with_name("ratios.json")
# A ratio that is less than this part of the committed one is no chance.
LEAST_PART = 0.6
ROUNDS, AGAIN = 5, 15


def is_slower(gain: float, committed: float) -> bool:
    """Tell whether a change has made it so."""
    return gain < LEAST_PART * committed


def slower(
    committed: Mapping[str, float], measured: Callable[[str, int], Figure] = measure
) -> list[str]:
    """Measure all that is committed, print each, and name those that have become slower.

    What looks slower is measured again, longer, before it is called so.
    """
    named = []
    for name, usual in committed.items():
        gain = _gain(measured(name, ROUNDS))
        if is_slower(gain, usual):
            gain = _gain(measured(name, AGAIN))
        bound = LEAST_PART * usual
        said = "SLOWER" if is_slower(gain, usual) else "well"
        print(f"{name:<24}{gain:6.2f} times as fast as the peer, at least {bound:.2f}: {said}")
        if is_slower(gain, usual):
            named.append(name)
    return named


def _gain(figure: Figure) -> float:
    assert figure.gain is not None
    return figure.gain.median


def main(arguments: list[str]) -> int:
    """Run; give the exit status: 1 where something has become slower."""
    parser = argparse.ArgumentParser(prog="python -m bench guard", description=guard.__doc__)
    parser.add_argument("--write", action="store_true", help="commit to what is measured now")
    options = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if options.write:
        ratios = {name: round(_gain(measure(name, AGAIN)), 3) for name in PAIRS}
        COMMITTED.write_bytes(msgspec.json.format(msgspec.json.encode(ratios)) + b"\n")
        print(COMMITTED.read_text(), end="")
        return 0
    named = slower(msgspec.json.decode(COMMITTED.read_bytes(), type=dict[str, float]))
    if named:
        print(
            f"slower than it was: {', '.join(named)}. Find out by which change; where that is "
            "meant, run python -m bench guard --write on a quiet machine",
            file=sys.stderr,
        )
    return 1 if named else 0
