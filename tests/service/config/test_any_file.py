"""SRV-09: whatever a file says, it is read, or what is wrong with it is told by line and key."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.service.config import BadConfig, Mistake, load

from .test_values import FULL

EVERYTHING = (
    FULL
    + """
[logging]
level = "info"

[telemetry]
flight_folder = "./flight"
[[telemetry.rules]]
name = "mine"
when = { event = "WorkerHung", key = ["path"] }
[[telemetry.receivers]]
kind = "webhook"
url = "http://here/"
retry = { tries = 2 }

[supervisor]
strategy = "one_for_one"
intensity = { max_restarts = 5 }
"""
)

scalars = st.one_of(
    st.booleans(),
    st.integers(-2, 3),
    st.integers(-(10**18), 10**18),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=3),
    st.sampled_from(["${KEY}", "${NOT_SET}", "text", "auto", "primary", "./", "a/b", "failsoft:x"]),
)
keys = st.sampled_from(["kind", "models", "type", "retries", "a b", "", "é", "kin"])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=2),
    max_leaves=4,
)


def inline(value: Any) -> str:
    """Write a value as TOML does, on one line."""
    match value:
        case dict():
            pairs = (f"{json.dumps(key)} = {inline(each)}" for key, each in value.items())
            return "{ " + ", ".join(pairs) + " }"
        case list():
            return "[" + ", ".join(map(inline, value)) + "]"
        case float():
            return re.sub(r"^(-?)(nan|inf)$", r"\1\2", repr(value))
        case str():
            return json.dumps(value, ensure_ascii=True)
        case _:
            return str(value).lower()


def written(raw: dict[str, Any]) -> str:
    """Write a file with one line for each key of a section's tables."""
    lines: list[str] = []
    for section, table in raw.items():
        if not isinstance(table, dict):
            lines.insert(0, f"{json.dumps(section)} = {inline(table)}")
            continue
        lines.append(f"[{json.dumps(section)}]")
        lines += [f"{json.dumps(key)} = {inline(each)}" for key, each in table.items()]
    return "\n".join(lines)


@st.composite
def changed(draw: st.DrawFn) -> str:
    """Give a file with some changes to one that is good."""
    raw = copy.deepcopy(tomllib.loads(EVERYTHING))
    for _ in range(draw(st.integers(0, 3))):
        table: Any = raw
        while True:
            found = list(table) if isinstance(table, dict) else list(range(len(table)))
            if not found:
                break
            key = draw(st.sampled_from(found))
            below = table[key]
            if isinstance(below, dict | list) and draw(st.booleans()):
                table = below
                continue
            change = draw(st.sampled_from(["set", "drop", "add"]))
            if change == "set":
                table[key] = draw(values)
            elif change == "drop":
                del table[key]
            elif isinstance(table, dict):
                table[draw(keys)] = draw(values)
            break
    return written(raw)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any") / "tree.toml"


@given(text=changed())
def test_a_file_is_read_or_its_mistakes_are_told(file: Path, text: str) -> None:
    """SRV-09 Each has a key, and a line where there is something to see; nothing else is raised."""
    file.write_text(text)
    for mistake in mistakes(file):
        assert mistake.said
        assert "a-secret" not in mistake.said
        if mistake.key:
            first = re.split(r"[.\[]", mistake.key)[0].strip('"')
            # What is missing as a whole has no line.
            assert mistake.line is not None or f'["{first}"]' not in text
        if mistake.line is not None:
            assert 1 <= mistake.line <= max(1, len(text.splitlines()))


def mistakes(file: Path) -> tuple[Mistake, ...]:
    """Give all that is wrong with a file."""
    try:
        load(file, {"KEY": "a-secret"})
    except BadConfig as error:
        return error.mistakes
    return ()
