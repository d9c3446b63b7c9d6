"""An event of each kind that there is, with made-up fields."""

from __future__ import annotations

import typing
from typing import Any

import msgspec

from failsoft.messages import events, http_events, pool_events, trace_events
from failsoft.messages.events import Event
from failsoft.telemetry import events as telemetry_events


def one_of_each() -> list[Event]:
    """Give an event of each kind of ours; their times are 0, 1, 2 …"""
    kinds = [
        kind
        for module in (events, pool_events, trace_events, http_events, telemetry_events)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
    ]
    return [_made_up(kind, float(at)) for at, kind in enumerate(kinds)]


def _made_up(kind: type[Event], at: float) -> Event:
    hints = typing.get_type_hints(kind)
    fields = {name: _value(hints[name]) for name in kind.__struct_fields__}
    return kind(**{**fields, "path": "root/text", "at": at})


def _value(hint: Any) -> Any:
    plain = {str: "some", int: 3, float: 2.5, bool: True}
    if hint in plain:
        return plain[hint]
    if typing.get_origin(hint) is tuple:
        return (_value(typing.get_args(hint)[0]),)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        inner = typing.get_type_hints(hint)
        return hint(**{name: _value(inner[name]) for name in hint.__struct_fields__})
    return typing.get_args(hint)[0] if typing.get_origin(hint) is typing.Literal else None
