"""What a log line may hold: plain data, bounded in each direction, without secrets."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final

from failsoft.messages.secrets import REDACTED, is_secret_name, redacted

# Under what a worker's pipe takes as one line.
MAX_LINE_BYTES: Final = 32 * 1024
MAX_TEXT: Final = 8_000
MOST_ITEMS: Final = 50
DEEPEST: Final = 5
_MOST_CHARACTERS: Final = 24_000
# Secrets are looked for before a text is cut, so that none is cut in half; in so much of it.
_LOOKED_THROUGH: Final = 16_000
_MAX_NAME: Final = 100
_LEFT_OUT: Final = "…"

# First in a line, and the last to go where there is too much of it.
_FIRST: Final = ("timestamp", "level", "event", "logger", "actor", "correlation_id", "trace_id")


def encode_line(fields: Mapping[str, Any]) -> str:
    """Give ``fields`` as one line of JSON, in ASCII, of at most 32 KiB. Raises nothing.

    Texts over 8,000 characters have their midst left out, lists and mappings what is beyond 50
    items or 5 levels, and the whole what is too much. What is no JSON is its ``repr``.
    """
    characters = _MOST_CHARACTERS
    while True:
        line = json.dumps(safe_fields(fields, characters))
        if len(line) <= MAX_LINE_BYTES:
            return line
        characters //= 4


def safe_fields(fields: Mapping[str, Any], characters: int = _MOST_CHARACTERS) -> dict[str, Any]:
    """Give ``fields`` as plain, bounded data, in order, and without secrets."""
    room = _Room(characters)
    first = [name for name in _FIRST if name in fields]
    rest = [name for name in fields if name not in _FIRST]
    safe: dict[str, Any] = {}
    for name in (*first, *rest):
        if room.left <= 0:
            safe[_LEFT_OUT] = f"{len(fields) - len(safe)} more fields"
            break
        safe[room.name(name)] = room.value(name, fields[name], 0)
    return safe


def shortened(text: str, most: int = MAX_TEXT) -> str:
    """Leave out the midst of a long text: it begins with what it is, a traceback ends with it."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}… {len(text) - 2 * half} characters left out …{text[-half:] * (half > 0)}"


class _Room:
    """Fill what room there is. left: characters."""

    def __init__(self, characters: int) -> None:
        self.left = characters

    def name(self, name: Any) -> str:
        return self._take(shortened(str(name), _MAX_NAME))

    def value(self, name: Any, value: Any, depth: int) -> Any:
        """Give ``value`` as plain data; ``name`` is what it is called."""
        self.left -= 4
        if isinstance(name, str) and value is not None and is_secret_name(name[:_MAX_NAME]):
            return REDACTED
        try:
            return self._plain(value, depth)
        # A repr, an iterator: what they raise is no business of the one who writes a line.
        except Exception:
            return f"<{type(value).__name__} that can't be shown>"

    def _plain(self, value: Any, depth: int) -> Any:
        match value:
            case None | bool():
                return value
            case str():
                return self._text(value)
            case int() if abs(value) < 2**63:
                return int(value)
            case float():
                return float(value) if math.isfinite(value) else repr(value)
            case bytes() | bytearray() | memoryview():
                return f"<{len(value)} bytes>"
            case BaseException():
                return self._text(f"{type(value).__name__}: {value}")
            case Mapping() | list() | tuple() | set() | frozenset() if depth >= DEEPEST:
                return _LEFT_OUT
            case Mapping():
                return self._mapping(value, depth)
            case list() | tuple() | set() | frozenset():
                return self._items(value, len(value), depth)
        return self._text(repr(value))

    def _mapping(self, values: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        for name, value in islice(values.items(), MOST_ITEMS):
            if self.left <= 0:
                break
            plain[self.name(name)] = self.value(name, value, depth + 1)
        if len(plain) < len(values):
            plain[_LEFT_OUT] = f"{len(values) - len(plain)} more"
        return plain

    def _items(self, values: Iterable[Any], count: int, depth: int) -> list[Any]:
        plain: list[Any] = []
        for value in islice(values, MOST_ITEMS):
            if self.left <= 0:
                break
            plain.append(self.value(None, value, depth + 1))
        if len(plain) < count:
            plain.append(f"… {count - len(plain)} more")
        return plain

    def _text(self, text: str) -> str:
        safe = redacted(shortened(text, _LOOKED_THROUGH))
        return self._take(shortened(safe, max(0, min(MAX_TEXT, self.left))))

    def _take(self, text: str) -> str:
        self.left -= len(text)
        return text
