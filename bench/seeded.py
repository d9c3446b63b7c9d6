"""What a run by a seed and the one who started it have to tell each other."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec


class Report(Protocol):
    """Hold what came of a run; it is written as it is, and printed in lines."""

    def lines(self) -> Iterable[str]: ...


def drawn(seed: int | None) -> int:
    """Give the seed; one that is drawn where there is none."""
    return secrets.randbits(32) if seed is None else seed


def tell(said: str) -> None:
    print(said, flush=True)


def write(report: Report, output: Path) -> None:
    """Print a report, and write it."""
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    print(*report.lines(), f"written to {output}", sep="\n")


def judged(wrongs: Sequence[str]) -> int:
    """Say what isn't as it must be; give the exit status."""
    for wrong in wrongs:
        print(f"NOT as it must be: {wrong}", file=sys.stderr)
    return 1 if wrongs else 0
