"""Server-sent events, cut from bytes as they come."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.actors.remote_events import EventReader, EventsError

ends = st.sampled_from(["\n", "\r\n", "\r"])
texts = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=20)


@given(st.lists(st.lists(texts, min_size=1, max_size=3), max_size=5), ends, st.data())
def test_events_are_the_same_however_the_bytes_are_cut(
    said: list[list[str]], end: str, data: st.DataObject
) -> None:
    """Whatever ends the lines; an event without data is none."""
    events = [end.join(f"data: {line}" for line in lines) for lines in said]
    stream = "".join(f": ping{end}{end}{event}{end}{end}" for event in events).encode()
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    places = sorted({0, len(stream), *cuts})
    reader = EventReader()
    got = [
        event
        for begin, until in itertools.pairwise(places)
        for event in reader.feed(stream[begin:until])
    ]
    assert got == [text for lines in said if (text := "\n".join(lines))]


def test_lines_of_one_event_are_joined_and_others_are_passed_over() -> None:
    """Comments, ids and names are nothing to us."""
    stream = b"id: 7\nevent: x\ndata: a\n: keep-alive\ndata:b\n\n\n\ndata\n\ndata:  c\n\ndata: cut"
    assert list(EventReader().feed(stream)) == ["a\nb", " c"]


@pytest.mark.parametrize("stream", [b"data: " + b"x" * 100, b"data: xxxx\n" * 20])
def test_an_event_has_a_bound(stream: bytes) -> None:
    """One long line, or many short ones."""
    reader = EventReader(max_bytes=50)
    with pytest.raises(EventsError, match="bound of 50"):
        list(reader.feed(stream))


def test_many_short_events_at_once_are_within_the_bound() -> None:
    """It is the bound of one."""
    assert len(list(EventReader(max_bytes=50).feed(b"data: x\n\n" * 100))) == 100


def test_an_event_that_is_not_utf8_is_an_error() -> None:
    """It can hold no JSON."""
    with pytest.raises(EventsError, match="UTF-8"):
        list(EventReader().feed(b"data: \xff\n\n"))
