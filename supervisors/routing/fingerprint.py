"""Fingerprint: what a request asks, as a short text by which the like of it is known again."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from typing import Any

import msgspec

# Chance, rank and asker: none of them is what a request asks.
OMITTED = ("answered", "seed", "priority", "tenant")

_PLAINLY: dict[str, Any] = {"str_keys": True, "order": "deterministic"}


def fingerprint(request: msgspec.Struct) -> str:
    """Give 32 hex digits that tell requests apart by type and by what they ask.

    Equal requests have equal fingerprints, in any process. Texts count without the space around
    them and in Unicode's normal form C. A field that has no plain form counts by its ``repr``.
    """
    fields = {
        name: _normal(_plain(getattr(request, name)))
        for name in request.__struct_fields__
        if name not in OMITTED
    }
    # ASCII alone: a lone surrogate has no other encoding.
    said = json.dumps([type(request).__name__, fields], separators=(",", ":"))
    return hashlib.blake2b(said.encode("ascii"), digest_size=16).hexdigest()


def _plain(value: Any) -> Any:
    try:
        return msgspec.to_builtins(value, **_PLAINLY)
    except TypeError:  # an object of no known kind, or a set that has no order
        return repr(value)


def _normal(value: Any) -> Any:
    match value:
        case str():
            return unicodedata.normalize("NFC", value).strip()
        case list() | tuple():
            return [_normal(item) for item in value]
        case dict():
            return {key: _normal(item) for key, item in value.items()}
        # 1, 1.0 and True are equal, and so are the requests that hold them.
        case bool():
            return int(value)
        case float() if value.is_integer():
            return int(value)
        case _:
            return value
