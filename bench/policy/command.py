"""The command: time all, in turns, and write down what came of it."""

from __future__ import annotations

import argparse
import logging

import structlog

from bench import charts, peers, policy, route
from bench.figures import Figure
from bench.paired import compare
from bench.policy import ours
from bench.policy.call import answered, each_other_fails, refused, well
from bench.report import OUTPUT, Measuring

ROUNDS, QUICK_ROUNDS = 9, 3
_PACKAGES = ("tenacity", "pybreaker", "stamina")


def of_wrapped(rounds: int, operations: int) -> list[Figure]:
    """Hold ours against each: a call that goes well, one that is retried, one that is refused."""
    from bench.policy import wrapped

    # Who does only a part of it can't win.
    sides = (
        ("tenacity + pybreaker", wrapped.both, True),
        ("tenacity", wrapped.retried, False),
        ("stamina", wrapped.stamina_retried, False),
        ("pybreaker", wrapped.breaker, False),
    )
    figures = [
        compare(
            *("a call that goes well", answered(ours.guarded, lambda: well)),
            *(name, answered(wrap, lambda: well)),
            operations=operations,
            rounds=rounds,
            is_rival=is_rival,
        )
        for name, wrap, is_rival in sides
    ]
    figures += [
        compare(
            *("a call that fails, and its retry", answered(ours.guarded, each_other_fails)),
            *(name, answered(wrap, each_other_fails)),
            operations=operations // 2,
            rounds=rounds,
            is_rival=is_rival,
        )
        for name, wrap, is_rival in sides[:3]
    ]
    figures += [
        compare(
            *("a call that the open breaker refuses", refused(ours.guarded, ours.Refused)),
            *(name, refused(wrap, wrapped.Refused)),
            operations=operations // 2,
            rounds=rounds,
            is_rival=is_rival,
        )
        for name, wrap, is_rival in (sides[0], sides[3])
    ]
    return figures


def main(arguments: list[str]) -> None:
    """Run, print, and write the figures and their chart."""
    parser = argparse.ArgumentParser(prog="python -m bench policy", description=policy.__doc__)
    parser.add_argument("--quick", action="store_true", help="a few rounds, for a rough look")
    parser.add_argument("--rounds", type=int, help="rounds to take the median of")
    options = parser.parse_args(arguments)
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    found = Measuring("policy", "what a breaker and retries cost a call", arguments)
    found.names(*_PACKAGES)
    found.settings["failsoft"] = ours.SETTINGS
    missing = [package for package in _PACKAGES if not peers.is_there(package)]
    if missing:
        found.skipped |= dict.fromkeys(missing, "it isn't installed here")
    else:
        from bench.policy.wrapped import SETTINGS

        found.settings |= SETTINGS
        found.figures += of_wrapped(rounds, 4_000 if options.quick else 10_000)
    found.figures += route.measure(rounds, 2_000 if options.quick else 10_000)
    found.charts += charts.ratios(found.figures, OUTPUT / "policy_ratios")
    found.write()
