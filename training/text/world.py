"""All that the model knows: words, and what is said of them.

A file in ``words/`` is a lexicon and a row in it a word, whose cells stand under the names in the
first row; one with commas is any of its parts, and ``-`` is nothing.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from training.text.grammar import Entry, Grammar

_WORDS = Path(__file__).parent / "words"
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NUMBERS = (
    *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    *("nineteen", "twenty"),
)
_NEAR = 5


@cache
def grammar() -> Grammar:
    """Give the grammar with all words."""
    lexicons = {path.stem: _read(path) for path in sorted(_WORDS.glob("*.txt"))}
    return Grammar({**lexicons, "day": _days(), "number": _numbers()})


def _read(path: Path) -> tuple[Entry, ...]:
    names, *rows = (_cells(row) for row in path.read_text(encoding="utf-8").splitlines())
    return tuple(_entry(names, row) for row in rows)


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.split("|")]


def _entry(names: list[str], cells: list[str]) -> Entry:
    if len(cells) != len(names):
        raise ValueError(f"{len(cells)} cells for the columns {names}: {cells}")
    entry = {
        name: tuple(value.strip() for value in cell.split(","))
        for name, cell in zip(names, cells, strict=True)
        if cell != "-"
    }
    one = entry["one"][0]
    entry.setdefault("a", (f"{'an' if one[0] in 'aeiou' else 'a'} {one}",))
    entry.setdefault("many", (f"{one}s",))
    return entry


def _days() -> tuple[Entry, ...]:
    return tuple(
        {
            "one": (day,),
            "next": (_DAYS[(n + 1) % len(_DAYS)],),
            "before": (_DAYS[n - 1],),
            "kind": ("a day of the weekend" if n > 4 else "a working day",),
        }
        for n, day in enumerate(_DAYS)
    )


def _numbers() -> tuple[Entry, ...]:
    entries: list[Entry] = []
    for n, word in enumerate(_NUMBERS, 1):
        entry: dict[str, tuple[str, ...]] = {
            "one": (word,),
            "digits": (str(n),),
            "count": (", ".join(_NUMBERS[:n]),),
        }
        if n < len(_NUMBERS):
            entry["next"] = (_NUMBERS[n],)
            entry["larger"] = _NUMBERS[n : n + _NEAR]
        if n > 1:
            entry["before"] = (_NUMBERS[n - 2],)
            entry["smaller"] = _NUMBERS[max(n - 1 - _NEAR, 0) : n - 1]
        entries.append(entry)
    return tuple(entries)
