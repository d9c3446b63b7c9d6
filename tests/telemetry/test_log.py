"""Log lines: one JSON object each, with what the event knows."""

from __future__ import annotations

import io
import json
import logging
import sys
import warnings
from collections.abc import Iterator

import pytest
import structlog

from failsoft.actors import Actor, System, bind_correlation_id, handles
from failsoft.messages import Request
from failsoft.messages.events import (
    ChildRestarted,
    DeviceMemoryReported,
    FellBack,
    ModelStateChanged,
    RequestFinished,
    SupervisorEscalated,
)
from failsoft.telemetry import configure_logging, log_events

pytestmark = pytest.mark.anyio


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    """Give where lines are to go; leave all logging as it was."""
    root, library = logging.getLogger(), logging.getLogger("a_library")
    handlers, level = root.handlers, root.level
    yield io.StringIO()
    structlog.reset_defaults()
    root.handlers, library.handlers, library.propagate = handlers, [], True
    root.setLevel(level)
    logging.captureWarnings(False)


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
        system.events.publish(DeviceMemoryReported, "text/a", used_bytes=1, total_bytes=2)
        system.events.publish(SupervisorEscalated, "text", child="a", reason="x")
        system.events.publish(FellBack, "text", model="a", cause="x", correlation_id="c-1")
        system.events.publish(ModelStateChanged, "text/a", before="ready", after="busy")
    escalated, fell_back = lines(output)
    assert escalated["level"] == "error"
    assert (fell_back["level"], fell_back["correlation_id"]) == ("warning", "c-1")


async def test_events_of_which_no_line_would_be_written_are_not_made(output: io.StringIO) -> None:
    """TL-09 At level warning, a model that turns busy costs nothing; what may be one is heard."""
    configure_logging(output, level="warning")
    async with System() as system:
        log_events(system.events)
        assert not system.events.hears(ModelStateChanged)
        assert not system.events.hears(DeviceMemoryReported)
        assert system.events.hears(RequestFinished)


def test_control_characters_and_odd_values_make_one_valid_line(output: io.StringIO) -> None:
    """TL-09 A newline in a value is no new line."""
    configure_logging(output)
    structlog.get_logger().info("odd", text="a\nb\x00", value=object(), error=ValueError("v"))
    (line,) = lines(output)
    assert line["text"] == "a\nb\x00"


def test_secrets_are_redacted_in_each_style(output: io.StringIO) -> None:
    """TL-09 In fields, in the words of the line, and in tracebacks; locals aren't shown at all."""
    for style in ("json", "console"):
        configure_logging(output, style=style)
        try:
            hushed = "hush-0"
            raise ValueError("password=hush-1")
        except ValueError:
            structlog.get_logger().exception("with api_key=hush-2", token="hush-3")
        assert hushed not in output.getvalue()
    assert "hush" not in output.getvalue()
    assert output.getvalue().count("ValueError: password=[redacted]") == 2


def test_a_console_line_moves_no_cursor(output: io.StringIO) -> None:
    """TL-09 One line, whatever is in it."""
    configure_logging(output, style="console")
    structlog.get_logger().info("red\x1b[31m\nnext", text="\x9b2J\u2028")
    (line,) = output.getvalue().splitlines()
    assert r"red\x1b[31m\nnext" in line
    assert line.isprintable()


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


def test_what_libraries_log_is_a_line_like_all_others(output: io.StringIO) -> None:
    """TL-09 Level, logger, traceback, correlation id; arguments that don't fit make a line too."""
    configure_logging(output)
    library = logging.getLogger("a_library")
    bind_correlation_id("c-1")
    library.info("%s of it", 3)
    library.log(35, "Bearer %s", "abcdefgh12")
    library.debug("unseen")
    library.error("%d", "no number")
    try:
        raise ValueError("v")
    except ValueError:
        library.exception("failed")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("mind the gap", stacklevel=1)
        logging.captureWarnings(False)
    structlog.contextvars.clear_contextvars()
    info, custom, misfit, failed, warned = lines(output)
    assert (info["level"], info["event"], info["logger"]) == ("info", "3 of it", "a_library")
    assert (custom["level"], custom["event"]) == ("warning", "Bearer [redacted]")
    assert misfit["event"] == "%d ('no number',)"
    assert "ValueError: v" in str(failed["exception"])
    assert (warned["logger"], warned["level"]) == ("py.warnings", "warning")
    assert {line["correlation_id"] for line in (info, custom, misfit, failed)} == {"c-1"}


def test_a_library_that_writes_to_the_terminal_is_taken_over(
    output: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """TL-09 As transformers and uvicorn do; a handler of another kind stays."""
    library, elsewhere = logging.getLogger("a_library"), logging.StreamHandler(io.StringIO())
    library.handlers = [logging.StreamHandler(sys.stderr), elsewhere]
    library.propagate = False
    configure_logging(output)
    library.warning("once")
    assert [line["event"] for line in lines(output)] == ["once"]
    assert capsys.readouterr().err == ""
    assert library.handlers == [elsewhere]


async def test_an_app_that_configures_nothing_keeps_its_logging() -> None:
    """TL-09 Neither a system nor telemetry touches the host's handlers, levels or structlog."""
    root = logging.getLogger()
    before = list(root.handlers), root.level, structlog.get_config(), warnings.showwarning
    async with System() as system:
        log_events(system.events)
        await system.spawn(Speaker, "speaker")
    after = list(root.handlers), root.level, structlog.get_config(), warnings.showwarning
    assert after == before
