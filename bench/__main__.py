"""Run benchmarks by name: ``python -m bench [NAME …] [OPTION …]``; without a name, all of them.

They run in the peers' own environment, which the first of them sets up. ``python -m bench chaos
[OPTION …]`` is no benchmark: it is run only where it is named, and needs no peers.
"""

from __future__ import annotations

import importlib
import sys
from itertools import takewhile

from bench import peers

BENCHMARKS = ("runtime", "route", "telemetry", "simulate", "engines", "http")


def main(arguments: list[str]) -> int:
    """Run the benchmarks; give the exit status: 2 where a name isn't known."""
    if arguments[:1] == ["chaos"]:
        return int(importlib.import_module("bench.chaos").main(arguments[1:]))
    names = list(takewhile(lambda argument: not argument.startswith("-"), arguments))
    for name in names:
        if name not in BENCHMARKS:
            print(
                f"no benchmark {name!r}; there is: {', '.join(BENCHMARKS)}, chaos", file=sys.stderr
            )
            return 2
    peers.enter(arguments=arguments)
    for name in names or BENCHMARKS:
        importlib.import_module(f"bench.{name}").main(arguments[len(names) :])
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
