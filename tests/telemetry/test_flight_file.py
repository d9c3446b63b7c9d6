"""Flight files: what was written is read again, and what can't be is said with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from failsoft.messages.events import Event, WorkerHung
from failsoft.telemetry import FlightHeader, NotAFlight, UnknownEvent, read_flight
from failsoft.telemetry.flight_file import file_name, keep_last, write_flight

from .all_events import one_of_each

HEADER = FlightHeader(reason="asked for", began=0.0, at=9.0, written=1.8e9, seen=1, dropped={})
HUNG = WorkerHung(path="root/text", at=3.0, pid=7, reason="stuck")


class Painted(Event, frozen=True, kw_only=True):
    """Be an event of somebody's own."""

    colour: object


def test_each_kind_of_event_is_read_as_it_was_written(tmp_path: Path) -> None:
    """TL-07 By its type, not as a dict."""
    events = one_of_each()
    write_flight(tmp_path / "f.jsonl", HEADER, events)
    flight = read_flight(tmp_path / "f.jsonl")
    assert flight.header == HEADER
    assert list(flight.events) == events


def test_an_event_that_is_not_known_is_read_all_the_same(tmp_path: Path) -> None:
    """TL-07 Of somebody's own, or of another version; what is no JSON is shown in words."""
    write_flight(tmp_path / "f", HEADER, [Painted(path="a", at=1.0, colour=object)])
    (event,) = read_flight(tmp_path / "f").events
    assert event == UnknownEvent(
        path="a", at=1.0, name="Painted", fields={"colour": "<class 'object'>"}
    )


def test_one_with_fields_missing_is_read_as_unknown(tmp_path: Path) -> None:
    """TL-07 As an older failsoft may have written it."""
    write_flight(tmp_path / "f", HEADER, [])
    with (tmp_path / "f").open("a") as file:
        file.write('{"type":"WorkerHung","path":"a","at":2,"pid":3}\n')
    (event,) = read_flight(tmp_path / "f").events
    assert event == UnknownEvent(path="a", at=2.0, name="WorkerHung", fields={"pid": 3})


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "first line is no header"),
        ("# Readme\n", "first line is no header"),
        ('{"type":"WorkerHung"}\n', "first line is no header"),
        ("\xff\n", "first line is no header"),
        ("HEADER\n[1]\n", "line 2 of .* is no event"),
        ('HEADER\n{"type":"WorkerHung","path":"a"}\n', "line 2 of .* is no event"),
        ('HEADER\n{"type":"X","path":"a","at":"soon"}\n', "line 2 of .* is no event"),
        ("NEWER\n", "is of version 99, and this failsoft reads up to 1"),
    ],
)
def test_what_is_no_recording_is_refused_with_the_reason(
    tmp_path: Path, lines: str, said: str
) -> None:
    """SV-12 And the number of the line."""
    header = FlightHeader.__struct_config__
    assert header.tag == "flight"
    write_flight(tmp_path / "good", HEADER, [])
    good = (tmp_path / "good").read_text().strip()
    newer = good.replace('"version":1', '"version":99')
    text = lines.replace("HEADER", good).replace("NEWER", newer)
    (tmp_path / "bad").write_bytes(text.encode("latin-1"))
    with pytest.raises(NotAFlight, match=said):
        read_flight(tmp_path / "bad")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """SV-12 With the system's words."""
    with pytest.raises(NotAFlight, match="No such file"):
        read_flight(tmp_path / "nothing")


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    """TL-07 Whole, and nothing beside it."""
    path = tmp_path / "f.jsonl"
    write_flight(path, HEADER, [HUNG])

    class Broken(list[Event]):
        def __iter__(self) -> None:  # type: ignore[override]
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        write_flight(path, HEADER, Broken())
    assert read_flight(path).events == (HUNG,)
    assert [file.name for file in tmp_path.iterdir()] == ["f.jsonl"]


def test_the_last_files_are_kept_and_nothing_else_is_touched(tmp_path: Path) -> None:
    """TL-07 By their names, which are in the order of time."""
    names = [file_name(1.8e9 + 1000 * n, n) for n in range(5)]
    for name in (*names, "notes.txt"):
        (tmp_path / name).write_text("")
    keep_last(tmp_path, 2)
    assert sorted(file.name for file in tmp_path.iterdir()) == [*names[3:], "notes.txt"]
