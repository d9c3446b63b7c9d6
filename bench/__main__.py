"""Run benchmarks by name: ``python -m bench [NAME …]``; without a name, all of them."""

from __future__ import annotations

import importlib
import sys

BENCHMARKS = ("runtime", "route", "simulate")


def main(names: list[str]) -> int:
    """Run the benchmarks; give the exit status: 2 where a name isn't known."""
    for name in names:
        if name not in BENCHMARKS:
            print(f"no benchmark {name!r}; there is: {', '.join(BENCHMARKS)}", file=sys.stderr)
            return 2
    for name in names or BENCHMARKS:
        importlib.import_module(f"bench.{name}").main([])
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
