"""A log line is one line of valid JSON, bounded, whatever it is given."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from failsoft.messages.log_line import MAX_LINE_BYTES, MAX_TEXT, encode_line, shortened


def read(**fields: Any) -> dict[str, Any]:
    """Give what the line of ``fields`` says."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    found: dict[str, Any] = json.loads(encode_line(fields), parse_constant=refuse)
    return found


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    # What no text should hold, and may all the same.
    | st.text(st.characters(categories=["Cs", "Cc", "Zl"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.integers() | st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=50)
@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_anything_is_one_valid_line(fields: dict[str, Any]) -> None:
    """TL-09 Control characters and half characters are escaped, and so nothing is cut by them."""
    line = encode_line(fields)
    assert line.isascii()
    assert line.isprintable()
    assert len(line) <= MAX_LINE_BYTES
    json.loads(line)


def test_what_moves_a_cursor_is_escaped() -> None:
    """TL-09 Control characters of all kinds, and line ends; they are read as they were."""
    text = "\x00\x1b[2J\x7f\x9b\u2028\ud800"
    assert encode_line({"text": text}).isprintable()
    assert read(text=text) == {"text": text}


class Rude:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_what_is_no_json_is_told_in_words() -> None:
    """TL-09 Numbers that JSON doesn't have, bytes, errors, and what can't tell of itself."""
    said = read(
        nan=math.nan, huge=10**9999, data=b"\x00" * 9, error=ValueError("v"), rude=Rude(), kind=int
    )
    assert said == {
        "nan": "nan",
        "huge": "<int that can't be shown>",
        "data": "<9 bytes>",
        "error": "ValueError: v",
        "rude": "<Rude that can't be shown>",
        "kind": "<class 'int'>",
    }


def test_a_long_text_keeps_its_ends() -> None:
    """TL-09 A traceback's last lines say what happened."""
    said = read(exception="Traceback" + "x" * 100_000 + "ValueError: no")["exception"]
    assert said.startswith("Traceback")
    assert said.endswith("ValueError: no")
    assert "characters left out" in said
    assert len(said) < MAX_TEXT + 100


@pytest.mark.parametrize("most", [0, 1, 2, 3])
def test_a_text_for_which_there_is_hardly_any_room(most: int) -> None:
    """TL-09 Of what is left out, nothing shows."""
    assert len(shortened("x" * 100, most).replace("characters left out", "")) < 20


def test_many_and_deep_values_are_cut() -> None:
    """TL-09 With how many there are; one that holds itself has an end too."""
    loop: dict[str, Any] = {}
    loop["self"] = loop
    said = read(many=list(range(1_000)), named=dict.fromkeys(range(60)), loop=loop)
    assert said["many"][49:] == [49, "… 950 more"]
    assert said["named"]["…"] == "10 more"
    assert json.dumps(said["loop"]).count("self") == 5


def test_a_line_of_many_long_values_is_bounded() -> None:
    """TL-09 What it is about comes first and stays, even in letters of 12 bytes each."""
    fields = {f"field {number}": "\N{GRINNING FACE}" * 5_000 for number in range(500)}
    said = read(**fields, correlation_id="c-1", event="what happened")
    assert (said["event"], said["correlation_id"]) == ("what happened", "c-1")
    assert said["…"].endswith("more fields")
    assert len(encode_line(fields)) <= MAX_LINE_BYTES


def test_secrets_are_left_out_wherever_they_are() -> None:
    """TL-09 By the name of a field, deep within a value, in a text, and where a text is cut."""
    key = "sk-" + "a1" * 20
    cut = "x" * (MAX_TEXT // 2 - 10) + " " + key + " " + "y" * MAX_TEXT
    said = encode_line(
        {
            "api_key": "hush",
            "headers": [{"Authorization": "hush"}, {"X-API-Key": 5}],
            "text": f"with {key}",
            "error": ValueError("password=hush"),
            "cut": cut,
            "none": {"token": None},
        }
    )
    assert "hush" not in said
    assert "a1a1" not in said
    assert json.loads(said)["headers"] == [
        {"Authorization": "[redacted]"},
        {"X-API-Key": "[redacted]"},
    ]
    assert json.loads(said)["none"] == {"token": None}
