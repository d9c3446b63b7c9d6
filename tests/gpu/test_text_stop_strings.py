"""Stop strings cut a stream without ever leaking."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.gpu.text.stop_strings import StopStrings


def cut(pieces: list[str], stops: tuple[str, ...]) -> tuple[list[str], bool]:
    """Give what shows after each piece and at the end, and whether a stop string was met."""
    cutter = StopStrings(stops)
    shown = [cutter.feed(piece) for piece in pieces]
    return [*shown, cutter.flush()], cutter.stopped


def expected(text: str, stops: tuple[str, ...]) -> str:
    """Give the text up to the stop string that is complete first, the slow and plain way."""
    for end in range(len(text) + 1):
        starts = [end - len(stop) for stop in stops if text[:end].endswith(stop)]
        if starts:
            return text[: min(starts)]
    return text


@pytest.mark.parametrize(
    ("pieces", "stops", "shown"),
    [
        (["a", "b"], (), ["a", "b", ""]),
        (["one", "END", "two"], ("END",), ["one", "", "", ""]),
        (["one E", "N", "D two"], ("END",), ["one ", "", "", ""]),
        (["one E", "N", "X"], ("END",), ["one ", "", "ENX", ""]),
        (["one E", "N"], ("END",), ["one ", "", "EN"]),
        (["aab", "c"], ("aabaac",), ["", "aabc", ""]),
        (["abc"], ("abcd", "bc"), ["a", ""]),
        (["a\n", "\nb"], ("\n\n",), ["a", "", ""]),
    ],
)
def test_what_shows_after_each_piece(
    pieces: list[str], stops: tuple[str, ...], shown: list[str]
) -> None:
    """WK-14 Nothing shows that may be the beginning of a stop string."""
    assert cut(pieces, stops)[0] == shown


@given(
    pieces=st.lists(st.text("ab", max_size=4), max_size=8),
    stops=st.lists(st.text("ab", min_size=1, max_size=4), max_size=3).map(tuple),
)
def test_the_cut_does_not_depend_on_the_pieces(pieces: list[str], stops: tuple[str, ...]) -> None:
    """WK-14 The joined text is that of the whole, however it is cut into pieces."""
    shown, stopped = cut(pieces, stops)
    text = "".join(pieces)
    assert "".join(shown) == expected(text, stops)
    assert stopped == any(stop in text for stop in stops)
