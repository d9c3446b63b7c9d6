"""Positions: on which line of a TOML file each key stands, which tomllib doesn't tell."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from collections import defaultdict
from typing import Final

KeyPath = tuple[str | int, ...]

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
# The longest quotes first. One or two more may stand before the three that end a text.
_TEXT: Final = re.compile(
    r'"""(?:\\.|[^\\])*?""""{0,2}'
    r"|'''.*?''''{0,2}"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)
_SCALAR: Final = re.compile(r"[^,\]}#\n]*")


class Positions:
    """Find keys in ``text``, which tomllib has read: what is no TOML isn't noticed here."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._ends = [at for at, character in enumerate(text) if character == "\n"]
        self._at = 0
        self._lines: dict[KeyPath, int] = {}
        self._tables: defaultdict[KeyPath, int] = defaultdict(int)
        self._find_all()

    def line(self, path: KeyPath) -> int | None:
        """Give the line of a key, or else of the table that it would be in; the first is 1."""
        for length in range(len(path), 0, -1):
            if (line := self._lines.get(path[:length])) is not None:
                return line
        return None

    def __contains__(self, path: KeyPath) -> bool:
        return path in self._lines

    def _find_all(self) -> None:
        table: KeyPath = ()
        while self._skip_blank() < len(self._text):
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> KeyPath:
        """Read ``[a.b]`` or ``[[a.b]]``; give the path of the table that begins."""
        is_one_of_many = self._text.startswith("[[", self._at)
        self._at += 1 + is_one_of_many
        path: KeyPath = ()
        for key, start in self._keys():
            path = (*path, key)
            self._note(path, start)
            if self._tables[path]:
                path = (*path, self._tables[path] - 1)
        if is_one_of_many:
            path = path[:-1] if isinstance(path[-1], int) else path
            self._tables[path] += 1
            path = (*path, self._tables[path] - 1)
            self._note(path, start)
        self._at += 1 + is_one_of_many
        return path

    def _pair(self, table: KeyPath) -> None:
        path = table
        for key, start in self._keys():
            path = (*path, key)
            self._note(path, start)
        self._at += 1  # the equals sign
        self._value(path)

    def _keys(self) -> list[tuple[str, int]]:
        """Read a dotted key; give its parts, each with where it begins."""
        keys = []
        while True:
            start = self._skip_blank()
            if (bare := _BARE.match(self._text, start)) is not None:
                key, self._at = bare[0], bare.end()
            else:
                quoted = self._skip(_TEXT)
                key = next(iter(tomllib.loads(f"{quoted} = 0")))
            keys.append((key, start))
            self._skip_blank()
            if not self._text.startswith(".", self._at):
                return keys
            self._at += 1

    def _value(self, path: KeyPath) -> None:
        self._skip_blank()
        match self._text[self._at : self._at + 1]:
            case "[":
                self._at += 1
                index = 0
                while not self._is_over("]"):
                    self._note((*path, index), self._at)
                    self._value((*path, index))
                    index += 1
            case "{":
                self._at += 1
                while not self._is_over("}"):
                    self._pair(path)
            case '"' | "'":
                self._skip(_TEXT)
            case _:
                self._skip(_SCALAR)

    def _is_over(self, end: str) -> bool:
        """Go on to the next item of a list or an inline table; tell whether there is none."""
        self._skip_blank()
        if self._text.startswith(",", self._at):
            self._at += 1
            self._skip_blank()
        if self._text.startswith(end, self._at):
            self._at += 1
            return True
        return False

    def _note(self, path: KeyPath, start: int) -> None:
        self._lines.setdefault(path, bisect_left(self._ends, start) + 1)

    def _skip_blank(self) -> int:
        self._skip(_BLANK)
        return self._at

    def _skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        assert found is not None
        self._at = found.end()
        return found[0]
