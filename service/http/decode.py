"""Decoding: JSON into a Struct, and what is wrong with it in words, field by field."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec

from failsoft.service.http.refusals import InvalidBody

BodyT = TypeVar("BodyT", bound=msgspec.Struct)

_MOST_ERRORS: Final = 20
_MOST_NAME: Final = 64
_AT: Final = re.compile(r" - at `\$?(.*)`$")
_EXPECTED: Final = re.compile(r"Expected `([^`]+)`(?:, got `([^`]+)`)?(.*)")
_MISSING: Final = re.compile(r"Object missing required field `(.*)`")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_NAMES: Final = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "null": "null",
    "object": "an object",
    "str": "a string",
}
_BOUNDS: Final = {
    ">=": "of at least",
    "<=": "of at most",
    ">": "over",
    "<": "under",
    "of length >=": "of a length of at least",
    "of length <=": "of a length of at most",
}
_VALUE: Final = re.compile(r"Invalid (?:enum )?value (.*)", re.DOTALL)
_UNKNOWN_FIELD: Final = "is no field that is known here; take it out"


_decoder = lru_cache(maxsize=64)(msgspec.json.Decoder)


def decode(body: bytes, kind: type[BodyT]) -> BodyT:
    """Decode a body. Raise InvalidBody with all that is wrong with it."""
    try:
        decoded: BodyT = _decoder(kind).decode(body)
        return decoded
    except msgspec.ValidationError as error:
        raise InvalidBody.in_fields(_field_errors(body, kind, error)) from error
    except (ValueError, RecursionError) as error:
        raise InvalidBody.in_fields({"body": _no_json(error)}) from error


def _no_json(error: ValueError | RecursionError) -> str:
    """Say why a body can't be read at all."""
    if isinstance(error, RecursionError):
        return "is nested too deep"
    # A plain ValueError is for bytes that are no UTF-8, and for numbers of too many digits.
    return (
        f"is not valid JSON ({error})"
        if isinstance(error, msgspec.DecodeError)
        else ("is not valid JSON")
    )


def _field_errors(
    body: bytes, kind: type[msgspec.Struct], first: msgspec.ValidationError
) -> dict[str, str]:
    """Look at each field by itself: msgspec stops at the first that is wrong."""
    try:
        raw = msgspec.json.decode(body)
    except (ValueError, RecursionError) as error:
        return {"body": _no_json(error)}
    errors = {} if not isinstance(raw, dict) else _errors_of(raw, kind)
    if not errors:
        path, words = told(first)
        errors[path.lstrip(".") or "body"] = words
    return errors


def _errors_of(raw: dict[str, Any], kind: type[msgspec.Struct]) -> dict[str, str]:
    errors: dict[str, str] = {}
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for name, field in fields.items():
        if name not in raw:
            if field.required:
                errors[name] = "is required"
            continue
        try:
            msgspec.convert(raw[name], field.type)
        except msgspec.ValidationError as error:
            path, words = told(error)
            errors[name + path] = words
    for name in raw.keys() - fields.keys():
        if len(errors) >= _MOST_ERRORS:
            break
        errors[name[:_MOST_NAME]] = _UNKNOWN_FIELD
    return errors


def told(error: msgspec.ValidationError) -> tuple[str, str]:
    """Give the path below the field, and words for what is wrong there."""
    said = str(error)
    at = _AT.search(said)
    path = "" if at is None else at[1]
    said = said if at is None else said[: at.start()]
    if (missing := _MISSING.fullmatch(said)) is not None:
        return f"{path}.{missing[1]}", "is required"
    if (unknown := _UNKNOWN.fullmatch(said)) is not None:
        return f"{path}.{unknown[1][:_MOST_NAME]}", _UNKNOWN_FIELD
    if (value := _VALUE.fullmatch(said)) is not None:
        return path, f"can't be {value[1][:_MOST_NAME]} here"
    if (expected := _EXPECTED.fullmatch(said)) is not None:
        wanted, got, bound = expected.groups()
        words = f"must be {_named(wanted)}{_bounded(bound)}"
        return path, words + (f", not {_named(got)}" if got else "")
    return path, said[:1].lower() + said[1:200]


def _named(types: str) -> str:
    return " or ".join(_NAMES.get(name, name) for name in types.split(" | ") if name != "null") or (
        "null"
    )


def _bounded(bound: str) -> str:
    """Give words for ``>= 1`` and the like."""
    operator, _, number = bound.strip().rpartition(" ")
    return f" {_BOUNDS.get(operator, operator)} {number}" if bound.strip() else ""
