"""Log lines: one JSON object each, with what the event knows."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
import structlog

from failsoft.actors import Actor, System, bind_correlation_id, handles
from failsoft.messages import Request
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


class Say(Request[None], frozen=True):
    text: str


class SayBeside(Say, frozen=True):
    pass


class Speaker(Actor):
    async def on_start(self) -> None:
        structlog.get_logger().info("started")

    @handles(Say)
    def plain(self, message: Say) -> None:
        structlog.get_logger().info(message.text)

    @handles(SayBeside, interleave=True)
    async def beside(self, message: SayBeside) -> None:
        structlog.get_logger().info(message.text, actor="somebody else")
        structlog.get_logger().info(message.text)


async def test_a_line_knows_the_actor_that_wrote_it(output: io.StringIO) -> None:
    """TL-09 Whatever kind of handler it is in, with the correlation id of its request."""
    configure_logging(output)
    async with System() as system:
        ref = await system.spawn(Speaker, "speaker")
        bind_correlation_id("c-1")
        await ref.ask(Say("plain"))
        await ref.ask(SayBeside("beside"))
        structlog.get_logger().info("outside")
        structlog.contextvars.clear_contextvars()
    found = [
        (line["event"], line.get("actor"), line.get("correlation_id")) for line in lines(output)
    ]
    assert found == [
        ("started", "speaker", None),
        ("plain", "speaker", "c-1"),
        ("beside", "somebody else", "c-1"),
        ("beside", "speaker", "c-1"),
        ("outside", None, "c-1"),
    ]


def test_a_line_from_outside_of_any_loop(output: io.StringIO) -> None:
    """It has no actor."""
    configure_logging(output)
    structlog.get_logger().info("outside")
    assert "actor" not in lines(output)[0]
