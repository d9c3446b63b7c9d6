"""The form that an answer must have, named as in the OpenAI API."""

from __future__ import annotations

import re
from typing import Any

import msgspec

MAX_SCHEMA_BYTES = 32_768
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class _Format(msgspec.Struct, frozen=True, tag_field="type", forbid_unknown_fields=True):
    pass


class TextFormat(_Format, frozen=True, tag="text"):
    """Have the answer be any text."""


class JsonObjectFormat(_Format, frozen=True, tag="json_object"):
    """Have the answer be a JSON object, whatever is in it."""


class JsonSchema(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Name a JSON schema: at most 32 KiB, and a name of 1 to 64 letters, digits, ``_`` and ``-``.

    strict: answers keep to the schema whatever it says.
    """

    name: str
    schema: dict[str, Any]
    description: str | None = None
    strict: bool | None = None


class JsonSchemaFormat(_Format, frozen=True, tag="json_schema"):
    """Have the answer be JSON that keeps to a schema."""

    json_schema: JsonSchema


ResponseFormat = TextFormat | JsonObjectFormat | JsonSchemaFormat


def check_format(form: ResponseFormat | None, errors: dict[str, str]) -> None:
    """Add to ``errors`` what is wrong with ``form``, but for what only a model can tell."""
    if not isinstance(form, JsonSchemaFormat):
        return
    path = "response_format.json_schema"
    if not _NAME.fullmatch(form.json_schema.name):
        errors[f"{path}.name"] = "must be 1 to 64 letters, digits, underscores and dashes"
    try:
        size = len(msgspec.json.encode(form.json_schema.schema))
    except (TypeError, ValueError, RecursionError) as error:
        errors[f"{path}.schema"] = f"must be JSON ({error})"
        return
    if size > MAX_SCHEMA_BYTES:
        errors[f"{path}.schema"] = f"must have at most {MAX_SCHEMA_BYTES} bytes; it has {size}"
