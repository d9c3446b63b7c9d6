"""Flight files: JSON Lines, a header first, then one event a line in the order of time."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from failsoft.messages import events, http_events, pool_events, trace_events
from failsoft.messages.events import Event
from failsoft.telemetry import events as telemetry_events

VERSION: Final = 1
_NAME: Final = "flight-{when}-{pid}-{number:04}.jsonl"
_PATTERN: Final = "flight-*.jsonl"
_KNOWN: Final = {
    kind.__name__: kind
    for module in (events, pool_events, trace_events, http_events, telemetry_events)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
}
_encode = msgspec.json.Encoder(enc_hook=repr).encode


class NotAFlight(Exception):
    """Tell that a file can't be read as a flight recorder's, and why."""


class FlightHeader(msgspec.Struct, frozen=True, tag="flight", kw_only=True):
    """Tell of a recording. at: when it was written, on the system's clock; written: the same,
    in seconds since the epoch.

    reason: why it was written. began: when recording did, on the system's clock.
    dropped: events that aren't in it any more, by type.
    """

    version: int = VERSION
    reason: str
    began: float
    at: float
    written: float
    seen: int
    dropped: dict[str, int]


class UnknownEvent(Event, frozen=True, kw_only=True):
    """An event of a type that isn't known here, with what it holds."""

    name: str
    fields: dict[str, Any]


class Flight(msgspec.Struct, frozen=True):
    """Hold a recording."""

    header: FlightHeader
    events: tuple[Event, ...]


def file_name(written: float, number: int) -> str:
    """Name a file so that names are in the order of time."""
    when = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(written))
    return _NAME.format(when=when, pid=os.getpid(), number=number)


def write_flight(path: Path, header: FlightHeader, events: Sequence[Event]) -> None:
    """Write a recording in one step: whoever looks at ``path`` sees the whole, or nothing.

    Blocks. Raise OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(_encode(header) + b"\n")
            for event in events:
                file.write(_encode(event) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def keep_last(folder: Path, keep: int) -> None:
    """Remove all of the recorder's files in ``folder`` but the last ``keep``."""
    for old in sorted(folder.glob(_PATTERN))[:-keep]:
        old.unlink(missing_ok=True)


def read_flight(path: Path) -> Flight:
    """Read a recording. Raise NotAFlight with what is wrong, and where."""
    try:
        with path.open("rb") as file:
            header = _read_header(path, file.readline())
            found = tuple(_read_event(path, number, line) for number, line in enumerate(file, 2))
    except OSError as error:
        raise NotAFlight(f"{path} can't be read: {error.strerror}") from error
    return Flight(header, found)


def _read_header(path: Path, line: bytes) -> FlightHeader:
    try:
        header = msgspec.json.decode(line, type=FlightHeader)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotAFlight(
            f"{path} is no file of the flight recorder's: its first line is no header ({error})"
        ) from error
    if header.version > VERSION:
        raise NotAFlight(
            f"{path} is of version {header.version}, and this failsoft reads up to {VERSION}; "
            "install a newer one"
        )
    return header


def _read_event(path: Path, number: int, line: bytes) -> Event:
    try:
        fields = msgspec.json.decode(line, type=dict[str, Any])
        known = _KNOWN.get(fields.get("type", ""))
        if known is not None:
            try:
                return msgspec.convert(fields, known)
            except msgspec.ValidationError:
                pass  # of another version
        name, at = str(fields.pop("type")), float(fields.pop("at"))
        return UnknownEvent(path=str(fields.pop("path")), at=at, name=name, fields=fields)
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise NotAFlight(f"line {number} of {path} is no event ({error})") from error
