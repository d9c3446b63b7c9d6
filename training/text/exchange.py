"""What is asked and what is answered, as templates, read from the files in ``texts/``.

Blocks stand between empty lines. A line with ``?`` is a way to ask, one with ``=`` a way to
answer; any of the one goes with any of the other. ``* name`` begins a block of questions that may
follow, which name their subject no more, each with its answer; ``& name`` lets them follow.
A line that begins with a blank goes on with the one before.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

_TEXTS = Path(__file__).parent / "texts"


@dataclass(frozen=True)
class Exchange:
    """Pair a question with its answer, as templates; ``more`` are such pairs that may follow."""

    family: str
    asks: tuple[str, ...]
    answers: tuple[str, ...]
    more: tuple[tuple[str, str], ...] = ()


@cache
def exchanges() -> tuple[Exchange, ...]:
    """Give all of them, by family: a family is a file."""
    return tuple(exchange for path in sorted(_TEXTS.glob("*.txt")) for exchange in _of_file(path))


def _of_file(path: Path) -> list[Exchange]:
    found: list[Exchange] = []
    follow_ups: dict[str, tuple[tuple[str, str], ...]] = {}
    for block in path.read_text(encoding="utf-8").replace("\n  ", " ").split("\n\n"):
        lines = [(line[0], line[2:]) for line in block.splitlines() if line]
        asks = tuple(text for mark, text in lines if mark == "?")
        answers = tuple(text for mark, text in lines if mark == "=")
        match lines:
            case []:
                continue
            case [("*", name), *_]:
                follow_ups[name] = tuple(zip(asks, answers, strict=True))
            case _:
                more = tuple(
                    pair for mark, name in lines if mark == "&" for pair in follow_ups[name]
                )
                found.append(Exchange(path.stem, asks, answers, more))
    return found
