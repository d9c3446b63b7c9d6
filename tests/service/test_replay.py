"""``failsoft replay``: the story on a terminal, and what is said of a bad file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from failsoft.messages.events import (
    ActorStarted,
    ChildRestarted,
    Event,
    RestartScheduled,
    WorkerEnded,
    WorkerReady,
)
from failsoft.service.cli import app
from failsoft.telemetry import FlightHeader
from failsoft.telemetry.flight_file import write_flight

PRIMARY = "root/text/primary"


def recording(folder: Path, *events: Event) -> str:
    header = FlightHeader(
        reason="root escalated",
        began=0.0,
        at=20.0,
        written=1_800_000_000.0,
        seen=99,
        dropped={"ModelLoading": 7},
    )
    write_flight(folder / "flight.jsonl", header, events)
    return str(folder / "flight.jsonl")


OUTAGE = (
    ActorStarted(path=PRIMARY, at=0.0, incarnation=1),
    WorkerEnded(path=PRIMARY, at=5.0, pid=7, reason="it was [bold]killed[/]", asked=False),
    RestartScheduled(path=PRIMARY, at=5.0, attempt=1, delay=0.5, reason="WorkerLost"),
    ChildRestarted(path=PRIMARY, at=5.5, restarts=1),
    WorkerReady(path=PRIMARY, at=8.0, pid=8, seconds=2.5),
)


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["replay", *arguments], env={"COLUMNS": "120"})
    assert result.exit_code == 0, result.output
    return result.output


def test_it_tells_the_outage_as_a_timeline(tmp_path: Path) -> None:
    """TL-07 With what was out, for how long, and the restarts."""
    told = shown(recording(tmp_path, *OUTAGE))
    lines = [" ".join(line.split()) for line in told.splitlines()]
    assert f"+5.00 ┃ {PRIMARY} lost its worker 7: it was [bold]killed[/]" in lines
    assert f"+5.50 ┃ {PRIMARY} is up again, restart 1" in lines
    assert f"│ worker │ {PRIMARY} │ +5.00 │ 3.00 │ it was [bold]killed[/] │" in lines
    assert f"│ {PRIMARY} │ 1 │ 1 x WorkerLost │" in lines
    assert "since: root escalated" in told
    assert "something was out for 3.0 s" in told
    assert "Not in the recording any more: 7 ModelLoading" in told


def test_what_is_nothing_unusual_is_shown_where_asked_for(tmp_path: Path) -> None:
    """TL-07 It would drown the rest."""
    path = recording(tmp_path, *OUTAGE)
    assert f"{PRIMARY} started" not in shown(path)
    assert f"{PRIMARY} started" in shown(path, "--routine")


def test_a_recording_without_events_is_told_too(tmp_path: Path) -> None:
    """TL-07 No table is empty."""
    assert "What was out" not in shown(recording(tmp_path))


@pytest.mark.parametrize(
    ("made", "said"),
    [("# no flight", "is no file of the flight recorder's"), (None, "No such file")],
)
def test_a_bad_file_is_an_error_in_one_line(tmp_path: Path, made: str | None, said: str) -> None:
    """SV-12 On stderr, with exit status 2."""
    if made is not None:
        (tmp_path / "bad").write_text(made)
    command = [sys.executable, "-P", "-m", "failsoft.service", "replay", str(tmp_path / "bad")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
