"""Matchers: a pattern of a rule, made ready to be held against events, and checked before."""

from __future__ import annotations

import difflib
import string
from collections.abc import Iterable, Iterator
from typing import Any, Final, get_args

import msgspec

from failsoft.messages.events import Event
from failsoft.telemetry.alerting.alert import plain_text
from failsoft.telemetry.alerting.rules import EventPattern

_LONGEST_KEY: Final = 200
_LONGEST_SUMMARY: Final = 500


class Matcher:
    """Tell whether an event is one of a pattern's, and whom it is about.

    Raises ValueError where no event has that name, or no such field.
    """

    __slots__ = ("_at_least", "_below", "_key", "_one_of", "kind")

    def __init__(self, pattern: EventPattern) -> None:
        self.kind = kind = _kind_called(pattern.event)
        _check_fields(kind, (*pattern.key, *pattern.one_of))
        _check_fields(kind, (*pattern.at_least, *pattern.below), numbers=True)
        self._key = pattern.key
        self._one_of = tuple(pattern.one_of.items())
        self._at_least = tuple(pattern.at_least.items())
        self._below = tuple(pattern.below.items())

    def matches(self, event: Event) -> bool:
        """Tell whether the event, which is of this kind, has fields as said; None is no number."""
        for field, values in self._one_of:
            if getattr(event, field) not in values:
                return False
        for field, limit in self._at_least:
            value = getattr(event, field)
            if value is None or not value >= limit:
                return False
        for field, limit in self._below:
            value = getattr(event, field)
            if value is None or not value < limit:
                return False
        return True

    def key(self, event: Event) -> str:
        """Give whom the event is about."""
        return plain_text("/".join(_shown(event, field) for field in self._key), _LONGEST_KEY)


class Summary:
    """Put an event's fields into a rule's line for people.

    Raises ValueError where the line has a format that can't be read, or names no field of it.
    """

    __slots__ = ("_fields", "_line")

    def __init__(self, line: str, kind: type[Event]) -> None:
        # Named with all that is behind a dot or a bracket, so that no attribute can be reached.
        named = [name for _, name, _, _ in string.Formatter().parse(line) if name is not None]
        _check_fields(kind, named)
        self._line = line
        self._fields = tuple(named)

    def of(self, event: Event) -> str:
        values = {field: _value(event, field) for field in self._fields}
        try:
            said = self._line.format_map(values)
        except (ValueError, TypeError):  # a format for numbers, and now there is none
            said = self._line.split("{")[0] + ", ".join(map(str, values.values()))
        return plain_text(said, _LONGEST_SUMMARY)


def _value(event: Event, field: str) -> Any:
    value = getattr(event, field)
    return ", ".join(map(str, value)) if isinstance(value, tuple) else value


def _shown(event: Event, field: str) -> str:
    return str(_value(event, field))


def _kind_called(name: str) -> type[Event]:
    kinds = {kind.__name__: kind for kind in _derived(Event)}
    if name in kinds:
        return kinds[name]
    near = difflib.get_close_matches(name, kinds, n=1)
    hint = f"did you mean {near[0]}?" if near else "import the module of one of your own before"
    raise ValueError(f"no event is called {name!r}; {hint}")


def _derived(kind: type[Event]) -> Iterator[type[Event]]:
    for special in kind.__subclasses__():
        yield special
        yield from _derived(special)


def _check_fields(kind: type[Event], named: Iterable[str], *, numbers: bool = False) -> None:
    types = {field.name: field.type for field in msgspec.structs.fields(kind)}
    for name in named:
        if name not in types:
            raise ValueError(f"{kind.__name__} has no field {name!r}; it has {', '.join(types)}")
        if numbers and not {int, float} & {types[name], *get_args(types[name])}:
            raise ValueError(f"the field {name} of {kind.__name__} is no number")
