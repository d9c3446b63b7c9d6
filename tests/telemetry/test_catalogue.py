"""The tables of docs/telemetry.md are those that the code makes."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import pytest
import structlog

from failsoft.actors import Actor, System
from failsoft.messages.events import Event
from failsoft.telemetry import catalogue, configure_logging, log_events
from failsoft.telemetry.catalogue import filled
from failsoft.telemetry.log import LINE_FIELDS

PAGE = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text()

pytestmark = pytest.mark.anyio


def test_the_tables_are_those_that_the_code_makes() -> None:
    """TL-05 Each metric, event and field of a log line is on the page, as it is."""
    assert filled(PAGE) == PAGE, "run python -m failsoft.telemetry.catalogue"


def test_a_stale_page_is_told_and_written_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """TL-05 What else is on it stays."""
    page = tmp_path / "page.md"
    page.write_text(PAGE.replace("failsoft_retries_total", "retries"))
    assert catalogue.main([str(page), "--check"]) == 1
    assert "is stale" in capsys.readouterr().out
    assert catalogue.main([str(page)]) == 0
    assert page.read_text() == PAGE
    assert catalogue.main([str(page), "--check"]) == 0


def test_a_page_without_room_for_a_table_is_an_error() -> None:
    """It says which comment is missing."""
    with pytest.raises(ValueError, match="table: metrics"):
        filled("no tables here")


def test_each_event_of_ours_is_in_the_table() -> None:
    """LAW-9 Wherever it is defined, but for the stand-in for events of other versions."""
    named = {row[0].strip("`") for row in catalogue.event_rows()}
    ours = [kind for kind in Event.__subclasses__() if kind.__module__.startswith("failsoft.")]
    assert {kind.__name__ for kind in ours} - named <= {"UnknownEvent"}


async def test_a_log_line_has_no_field_but_those_in_the_table(system: System) -> None:
    """TL-09 Besides those of its event."""
    output, root = io.StringIO(), logging.getLogger()
    handlers, level = root.handlers, root.level
    configure_logging(output, level="debug")
    log_events(system.events)
    try:
        await system.spawn(Actor, "actor")
        logging.getLogger("a_library").info("hello")
    finally:
        structlog.reset_defaults()
        root.handlers = handlers
        root.setLevel(level)
        logging.captureWarnings(False)
    fields = {name for line in output.getvalue().splitlines() for name in json.loads(line)}
    assert fields - LINE_FIELDS.keys() == {"at", "incarnation"}
