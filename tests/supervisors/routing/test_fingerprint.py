"""Fingerprint: which requests are the like of one another."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.messages import ChatMessage, GenerateText, Request
from failsoft.supervisors.routing.fingerprint import OMITTED, fingerprint

ASKED = GenerateText("How are you?", max_tokens=20, temperature=0.5, stop=("\n", "END"))


class Other(Request[str], frozen=True):
    """Ask with the same fields as ``Same``."""

    value: Any


class Same(Request[str], frozen=True):
    """Ask with the same fields as ``Other``."""

    value: Any


def differs(**changes: Any) -> bool:
    return fingerprint(msgspec.structs.replace(ASKED, **changes)) != fingerprint(ASKED)


def test_it_is_short_and_hexadecimal() -> None:
    """WK-10 So that it can stand in a log line and in a path."""
    assert len(fingerprint(ASKED)) == 32
    assert int(fingerprint(ASKED), 16) >= 0


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": "How is he?"},
        {"prompt": (ChatMessage("user", "How are you?"),)},
        {"max_tokens": 21},
        {"temperature": 0.6},
        {"top_p": 0.9},
        {"stop": ("END",)},
    ],
)
def test_what_is_asked_counts(changes: dict[str, Any]) -> None:
    """WK-10 Another prompt is another request."""
    assert differs(**changes)


@pytest.mark.parametrize("changes", [{"seed": 3}, {"priority": 9}, {"tenant": "somebody"}])
def test_chance_rank_and_asker_do_not_count(changes: dict[str, Any]) -> None:
    """WK-10 A poisonous prompt is not let in with another seed."""
    assert set(changes) <= set(OMITTED)
    assert not differs(**changes)


def test_who_says_it_in_a_chat_counts() -> None:
    """WK-10 And in which order."""
    turns = (ChatMessage("system", "Hello"), ChatMessage("user", "Hi"))
    swapped = (ChatMessage("user", "Hello"), ChatMessage("system", "Hi"))
    told = {fingerprint(GenerateText(said)) for said in (turns, swapped, turns[::-1], turns[:1])}
    assert len(told) == 4


@pytest.mark.parametrize("prompt", [" How are you?", "How are you?\n\n", "\tHow are you? "])
def test_the_space_around_a_text_does_not_count(prompt: str) -> None:
    """WK-10 Nor does it in the turns of a chat."""
    assert not differs(prompt=prompt)
    chats = [GenerateText((ChatMessage("user", said),)) for said in (prompt, "How are you?")]
    assert len(set(map(fingerprint, chats))) == 1


def test_two_ways_to_write_a_letter_are_one() -> None:
    """WK-10 Composed, or a letter and its accent."""
    assert fingerprint(GenerateText("caf\u00e9")) == fingerprint(GenerateText("cafe\u0301"))
    assert fingerprint(GenerateText("cafe")) != fingerprint(GenerateText("caf\u00e9"))


def test_another_type_of_request_is_another_request() -> None:
    """WK-10 Though its fields are the same."""
    assert fingerprint(Same(1)) != fingerprint(Other(1))


@pytest.mark.parametrize(
    "value",
    [
        None,
        "\ud800",
        b"bytes",
        {"b": 1, "a": [{"c": 2}]},
        {1, 2},
        {1, "a"},
        {(1, 2): 3},
        float("nan"),
        1e300,
        2 + 1j,
        object(),
    ],
)
def test_whatever_a_request_holds_has_a_fingerprint(value: Any) -> None:
    """WK-10 Always the same one, and not that of an empty one."""
    assert fingerprint(Same(value)) == fingerprint(Same(value))
    assert fingerprint(Same(value)) != fingerprint(Same(""))


@pytest.mark.parametrize("equal", [(True, 1, 1.0), (False, 0, 0.0, -0.0), (2, 2.0), (1e300,)])
def test_numbers_that_are_equal_are_one(equal: tuple[float, ...]) -> None:
    """WK-10 Also within something; a text of the same look is another."""
    assert len({fingerprint(Same([number])) for number in equal}) == 1
    assert fingerprint(Same([equal[0]])) != fingerprint(Same([str(equal[0])]))


def test_the_order_in_a_dict_does_not_count() -> None:
    """WK-10 The dicts are equal."""
    assert fingerprint(Same({"a": 1, "b": 2})) == fingerprint(Same({"b": 2, "a": 1}))


def test_another_process_finds_the_same() -> None:
    """WK-10 Whatever its hashes are seeded with."""
    program = (
        "from failsoft.messages import GenerateText as G, ChatMessage as C\n"
        "from failsoft.supervisors.routing.fingerprint import fingerprint as f\n"
        "print(f(G((C('user', 'caf\\u00e9'),), stop=('x', 'y'), seed=1)))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()
        for seed in "12"
    }
    here = GenerateText((ChatMessage("user", "caf\u00e9"),), stop=("x", "y"), seed=2)
    assert found == {fingerprint(here)}


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.0, -0.0, 1.0, 0.5, 2.0])
    # Texts that are normal as they are: the others are equal to one of these only when cleaned.
    | st.sampled_from(["", "a", "1", "null", "true"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=6,
)


@given(values, values)
def test_equal_requests_and_no_others_have_equal_fingerprints(one: Any, other: Any) -> None:
    """WK-10 1, 1.0 and True are equal; "1" isn't."""
    are_equal = Same(one) == Same(other)
    assert (fingerprint(Same(one)) == fingerprint(Same(other))) is are_equal
