"""``failsoft replay``: the story of a flight recorder's file, as a timeline for a terminal."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from failsoft.telemetry.flight_file import FlightHeader, NotAFlight, read_flight
from failsoft.telemetry.flight_story import Story, story_of

BAD_FILE: Final = 2
_STYLES: Final = {"bad": "red", "good": "green", "plain": "", "routine": "dim"}


def print_story(file: Path, console: Console, *, shows_routine: bool = False) -> int:
    """Print the story of ``file``; give the exit status: 2 for a file that can't be read."""
    try:
        flight = read_flight(file)
    except NotAFlight as error:
        print(error, file=sys.stderr)
        return BAD_FILE
    story = story_of(flight)
    console.print(_heading(flight.header, story))
    console.print(_timeline(story, shows_routine))
    for table in (_outages(story), _restarts(story), _requests(story)):
        if table.row_count:
            console.print()
            console.print(table)
    if flight.header.dropped:
        said = ", ".join(f"{count} {kind}" for kind, count in flight.header.dropped.items())
        console.print(Text(f"Not in the recording any more: {said}", "dim"))
    return 0


def _heading(header: FlightHeader, story: Story) -> Text:
    written = datetime.fromtimestamp(header.written, UTC).isoformat(" ", "seconds")
    return Text(
        f"Written {written}, since: {header.reason}. {story.seconds:.1f} s, "
        f"{header.seen} events, something was out for {story.out_seconds:.1f} s.",
        "bold",
    )


def _timeline(story: Story, shows_routine: bool) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for line in story.lines:
        if line.tone == "routine" and not shows_routine:
            continue
        words = Text(line.words, _STYLES[line.tone])
        if line.count > 1:
            words.append(f"  ({line.count} times, until +{line.until:.2f})", "dim")
        gutter = Text("┃" if line.outages else " ", "red")
        table.add_row(Text(f"+{line.at:.2f}", "dim"), gutter, Text(line.path, "bold"), words)
    return table


def _outages(story: Story) -> Table:
    table = Table("what", "path", "from", "seconds", "cause", title="What was out")
    for outage in story.outages:
        is_over = outage.ended is not None
        lasted = f"{outage.ended - outage.began:.2f}" if outage.ended is not None else "to the end"
        table.add_row(
            outage.kind,
            Text(outage.path),
            f"+{outage.began:.2f}",
            Text(lasted, "" if is_over else "red"),
            Text(outage.cause),
        )
    return table


def _restarts(story: Story) -> Table:
    table = Table("path", "restarts", "causes", title="Restarts")
    for row in story.restarts:
        causes = "\n".join(f"{count} x {cause}" for cause, count in row.causes.items())
        table.add_row(Text(row.path), str(row.count), Text(causes or "taken along with a sibling"))
    return table


def _requests(story: Story) -> Table:
    table = Table("outcome", "requests", "while something was out", title="Requests")
    for outcome, count in story.outcomes.items():
        during = story.in_outages.get(outcome, 0)
        said = f"{during}, {story.fallbacks} of them by a fallback" if outcome == "ok" else during
        table.add_row(Text(outcome), str(count), str(said))
    return table
