"""Log lines: one JSON object each, with what the event knows."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
import structlog

from failsoft.actors import System
from failsoft.messages.events import ChildRestarted, FellBack, ModelStateChanged
from failsoft.telemetry import configure_logging, log_events

pytestmark = pytest.mark.anyio


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    yield io.StringIO()
    structlog.reset_defaults()


def lines(output: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


async def test_each_event_is_one_line(output: io.StringIO) -> None:
    """The name of the event, its path, and its fields."""
    configure_logging(output)
    async with System() as system:
        log_events(system.events)
        system.events.publish(ChildRestarted, "root/a", restarts=2)
    (line,) = lines(output)
    assert (line["event"], line["path"], line["restarts"]) == ("ChildRestarted", "root/a", 2)
    assert (line["level"], "timestamp" in line) == ("info", True)


async def test_what_went_wrong_is_a_warning_and_what_is_routine_is_quiet(
    output: io.StringIO,
) -> None:
    """A model that turns busy and back is no news."""
    configure_logging(output)
    async with System() as system:
        log_events(system.events)
        system.events.publish(FellBack, "text", model="a", cause="x", correlation_id="c-1")
        system.events.publish(ModelStateChanged, "text/a", before="ready", after="busy")
    (line,) = lines(output)
    assert (line["level"], line["correlation_id"]) == ("warning", "c-1")


def test_control_characters_and_odd_values_make_one_valid_line(output: io.StringIO) -> None:
    """TL-09 A newline in a value is no new line."""
    configure_logging(output)
    structlog.get_logger().info("odd", text="a\nb\x00", value=object(), error=ValueError("v"))
    (line,) = lines(output)
    assert line["text"] == "a\nb\x00"


def test_an_unknown_level_is_an_error() -> None:
    """It names those there are."""
    with pytest.raises(ValueError, match="debug, info, warning or error"):
        configure_logging(io.StringIO(), level="loud")
