"""Mistakes: what is wrong with a file, each by its line and key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Final

import msgspec

from failsoft.service.config.positions import KeyPath

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


class Mistake(msgspec.Struct, frozen=True):
    """Tell one mistake. line: None where it is about the file as a whole."""

    file: str
    line: int | None
    key: str
    said: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        told = ": ".join(filter(None, (place, self.key, self.said)))
        # A file may hold anything, and terminals heed some of it.
        return "".join(each if each.isprintable() else repr(each)[1:-1] for each in told)


class BadConfig(Exception):
    """Tell all that is wrong with a file, in the order of its lines."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes, key=lambda each: each.line or 0))
        super().__init__("\n".join(map(str, self.mistakes)))


def quoted(text: str) -> str:
    """Give a text as TOML has it, and nothing in it that a terminal would heed."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def written(path: KeyPath) -> str:
    """Write a path as TOML does, with brackets for what is one of many: ``a."b c"[0]``."""
    said = ""
    for part in path:
        if isinstance(part, int):
            said += f"[{part}]"
        else:
            name = part if _BARE.fullmatch(part) else quoted(part)
            said += f".{name}" if said else name
    return said
