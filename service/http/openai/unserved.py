"""Fields of the OpenAI API that can't be served: refused by name, never ignored in silence.

Clients send some of them with the value that asks for nothing; that is let through.
"""

from __future__ import annotations

import functools
from typing import Annotated, Any, get_args

import msgspec
from msgspec import Meta


def _only(*values: Any) -> Meta:
    told = ", ".join(msgspec.json.encode(value).decode() for value in values)
    return Meta(
        description=f"Isn't served: what asks for nothing is let through, which is {told}.",
        extra_json_schema={"enum": list(values)},
    )


# Each with the values that ask for nothing.
Unserved = Annotated[Any, _only(None, [], {})]
NoCalls = Annotated[Any, _only(None, "none", "auto")]
NoFlag = Annotated[Any, _only(None, False)]
AnyFlag = Annotated[Any, _only(None, True, False)]
OneAlone = Annotated[Any, _only(None, 1)]
NoneAlone = Annotated[Any, _only(None)]
NoText = Annotated[Any, _only(None, "")]
NoNumber = Annotated[Any, _only(None, 0)]
TextAlone = Annotated[Any, _only(None, [], ["text"])]
InMemory = Annotated[Any, _only(None, "in_memory")]
UsualTier = Annotated[Any, _only(None, "auto", "default")]
Opaque = Annotated[Any, _only(None, "auto", "opaque")]
LowModeration = Annotated[Any, _only(None, "auto", "low")]
NoCompression = Annotated[Any, _only(None, 100)]
PngAlone = Annotated[Any, _only(None, "png")]
UsualQuality = Annotated[Any, _only(None, "auto", "standard")]


@functools.cache
def unserved_fields(kind: type[msgspec.Struct]) -> dict[str, tuple[Any, ...]]:
    """Give the fields of a body that can't be served, each with what is let through."""
    return {
        field.name: tuple(meta.extra_json_schema["enum"])
        for field in msgspec.structs.fields(kind)
        for meta in get_args(field.type)[1:]
        if isinstance(meta, Meta) and meta.extra_json_schema and "enum" in meta.extra_json_schema
    }


def unserved_errors(body: msgspec.Struct, path: str = "") -> dict[str, str]:
    """Give what is asked for and can't be served: path → words."""
    return {
        path + name: "isn't served here; take it out"
        for name, values in unserved_fields(type(body)).items()
        if not _is_among(getattr(body, name), values)
    }


def _is_among(value: Any, values: tuple[Any, ...]) -> bool:
    # To Python true is 1 as well.
    return any(
        value == each and isinstance(value, bool) is isinstance(each, bool) for each in values
    )
