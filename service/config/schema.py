"""The JSON Schema of a tree's file, for editors: made of the Structs that it is read into."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from failsoft.service.config.described import described
from failsoft.service.config.sections import TreeConfig

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema_of_files() -> dict[str, Any]:
    """Give the schema. It holds for what TOML holds: None is ``false``, as ``Reader`` has it."""
    (_,), parts = msgspec.json.schema_components([TreeConfig], ref_template="#/$defs/{name}")
    for kind in _structs(TreeConfig):
        _say(parts[kind.__name__], kind)
    whole = _without_null(parts.pop(TreeConfig.__name__))
    return {"$schema": _DIALECT, **whole, "$defs": _without_null(parts)}


def _say(part: dict[str, Any], kind: type[msgspec.Struct]) -> None:
    part["additionalProperties"] = False
    part["description"] = (kind.__doc__ or "").partition("\n\n")[0]
    for each in described(kind):
        if each.said:
            part["properties"][each.name]["description"] = each.said


def _structs(kind: Any, found: frozenset[type] = frozenset()) -> frozenset[type[msgspec.Struct]]:
    """Give all Structs that a type leads to, with those that were found."""
    if kind in found:
        return found
    parts = getattr(kind, "__args__", ())
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        found |= {kind}
        parts = [field.type for field in msgspec.structs.fields(kind)]
    for part in parts:
        found = _structs(part, found)
    return found


def _without_null(part: Any) -> Any:
    """Have ``false`` stand where null would."""
    match part:
        case {"type": "null"}:
            return {"const": False}
        case dict():
            return {name: _without_null(each) for name, each in part.items()}
        case list():
            return [_without_null(each) for each in part]
        case None:
            return False
        case _:
            return part
