"""Run benchmarks by name: ``python -m bench [NAME …] [--quick]``; without a name, all of them.

They run in the peers' own environment, which the first of them sets up, and write build/bench,
with one page for all.
"""

from __future__ import annotations

import importlib
import signal
import subprocess
import sys
from collections.abc import Sequence
from itertools import takewhile

from bench import page, peers
from bench.names import BENCHMARKS, BESIDE, FURTHER


def main(arguments: list[str]) -> int:
    """Run what is named; give the exit status: 1 where something failed, 2 where it isn't known."""
    if arguments[:1] and arguments[0] in BESIDE:
        return _run(arguments[0], arguments[1:])
    names = list(takewhile(lambda argument: not argument.startswith("-"), arguments))
    for name in names:
        if name not in (*BENCHMARKS, *FURTHER):
            known = ", ".join((*BENCHMARKS, *FURTHER, *BESIDE))
            print(f"no benchmark {name!r}; there is: {known}", file=sys.stderr)
            return 2
    peers.enter(arguments=arguments)
    # So that a benchmark that is told to end ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    options = arguments[len(names) :]
    status = _run(names[0], options) if len(names) == 1 else _each(names or BENCHMARKS, options)
    page.main([])
    return status


def _each(names: Sequence[str], options: Sequence[str]) -> int:
    """Run one after the other; one that fails holds no other up."""
    failed = [name for name in names if _in_a_process(name, options) != 0]
    for name in failed:
        print(f"{name} FAILED: see above", file=sys.stderr)
    return 1 if failed else 0


def _in_a_process(name: str, options: Sequence[str]) -> int:
    """Run one in a process of its own, where no other has left anything; give its exit status."""
    print(f"\n{name}", flush=True)
    process = subprocess.Popen([sys.executable, "-m", "bench", name, *options])
    try:
        return process.wait()
    except KeyboardInterrupt:  # of the terminal, which has told it, too
        process.wait()
        raise
    except SystemExit:
        process.terminate()
        process.wait()
        raise


def _run(name: str, options: Sequence[str]) -> int:
    module = importlib.import_module(f"bench.{name}")
    return int(module.main(list(options)) or 0)


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
