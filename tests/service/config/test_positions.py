"""SRV-09: each key of a TOML file is found on its line."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.service.config.positions import KeyPath, Positions

FILE = '''\
# a comment = 1 [here]
one = 1
"two.x" . 'y z' = [1,  # "not a text
  {b = """x
]]\\""" """, c.d = [ ] },
  2]
[t.u] # ] =
when = 1979-05-27 07:32:00
quotes = \'\'\'it's '' ]
\'\'\'\'
after = ""
[[many]]
x = 1
[[many]]
x = 'a"'
  [many.sub]
  z = {}
  [[many.deep]]
  [[many.deep]]
  w = { "k\\u00e9y" = 2 }
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("one",), 2),
        (("two.x", "y z"), 3),
        (("two.x", "y z", 1), 4),
        (("two.x", "y z", 1, "c", "d"), 5),
        (("two.x", "y z", 2), 6),
        (("t",), 7),
        (("t", "u", "when"), 8),
        (("t", "u", "quotes"), 9),
        (("t", "u", "after"), 11),
        (("many",), 12),
        (("many", 0, "x"), 13),
        (("many", 1), 14),
        (("many", 1, "x"), 15),
        (("many", 1, "sub", "z"), 17),
        (("many", 1, "deep", 0), 18),
        (("many", 1, "deep", 1, "w", "kéy"), 20),
    ],
)
def test_a_key_is_found_on_its_line(path: KeyPath, line: int) -> None:
    """SRV-09 However it is written."""
    assert Positions(FILE).line(path) == line


def test_a_key_that_is_missing_has_the_line_of_its_table() -> None:
    """SRV-09 That is where it is to be put."""
    positions = Positions(FILE)
    assert positions.line(("many", 1, "sub", "absent")) == 16
    assert positions.line(("absent",)) is None


# -- a property: whatever the file, each value is found on the line that it stands on

keys = st.text(st.sampled_from("ab-_9 .\"'\\[]{}#=,é\t"), min_size=1, max_size=4).map(
    lambda key: json.dumps(key, ensure_ascii=False)
)
written_keys = st.one_of(st.sampled_from(["a", "b-1", "9", "c_d", "'x.y'"]), keys)
comments = st.sampled_from(["", "  # a = [1", ' # "'])
texts = st.sampled_from(
    [
        '"]"',
        "'#'",
        '"\\""',
        '"""a"""',
        '"""\n=\n"""',
        "'''\n'''",
        '"""a""""',
        '"""\\"""" """',
        "[]",
        "{}",
    ]
)


@st.composite
def values(draw: st.DrawFn, depth: int = 2) -> str:
    """Give a value in which each ``@`` is to be a number of its own."""
    kind = draw(st.sampled_from(["number", "text", "list", "table"] if depth else ["number"]))
    if kind == "number":
        return "@"
    if kind == "text":
        return draw(texts)
    if kind == "list":
        gap = draw(st.sampled_from(["", "\n", " # ] ,\n"]))
        items = draw(st.lists(values(depth - 1), max_size=3))
        return "[" + gap + "".join(f"{item}{gap},{gap}" for item in items) + "]"
    pairs = draw(st.dictionaries(written_keys.map(_read), values(depth - 1), max_size=2))
    inner = ", ".join(
        f"{json.dumps(key, ensure_ascii=False)} = {value}" for key, value in pairs.items()
    )
    return "{ " + inner + " }"


def _read(key: str) -> str:
    return next(iter(tomllib.loads(f"{key} = 0")))


@st.composite
def files(draw: st.DrawFn) -> str:
    """Give TOML, or what tomllib refuses for a key that is there twice."""
    lines = []
    for _ in range(draw(st.integers(1, 5))):
        header = draw(st.sampled_from(["", "[{}]", "[[{}]]"]))
        if header:
            dotted = " . ".join(draw(st.lists(written_keys, min_size=1, max_size=3)))
            lines.append(header.format(dotted) + draw(comments))
        for _ in range(draw(st.integers(0, 3))):
            dotted = ".".join(draw(st.lists(written_keys, min_size=1, max_size=2)))
            lines.append(f"{dotted} = {draw(values())}{draw(comments)}")
    first, *others = "\n".join(lines).split("@")
    return first + "".join(f"{number}{piece}" for number, piece in enumerate(others, 1000))


def numbers(value: Any, path: KeyPath = ()) -> dict[KeyPath, int]:
    """Give all numbers by their paths."""
    if isinstance(value, dict):
        return {p: n for key, each in value.items() for p, n in numbers(each, (*path, key)).items()}
    if isinstance(value, list):
        return {p: n for i, each in enumerate(value) for p, n in numbers(each, (*path, i)).items()}
    return {path: value} if isinstance(value, int) else {}


def tables(value: Any, path: KeyPath = ()) -> list[KeyPath]:
    """Give the paths of all that is there."""
    pairs = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(found for key, each in pairs for found in tables(each, (*path, key)))]


@given(files())
def test_each_value_is_found_on_its_line(text: str) -> None:
    """SRV-09 A number that is there once tells where it stands; and nothing is left out."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    positions, lines = Positions(text), text.split("\n")
    assert all(path in positions for path in tables(raw) if path)
    for path, number in numbers(raw).items():
        line = positions.line(path)
        assert line is not None
        # The key's line: its value may begin there, and a list's items have lines of their own.
        assert str(number) in lines[line - 1]
