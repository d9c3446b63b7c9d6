"""Logging: structlog, one line each, with correlation id and actor path, bounded, no secrets.

Nothing is configured, structlog or Python's own logging, unless the app calls for it here.
"""

from __future__ import annotations

import logging
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.typing import EventDict

from failsoft.actors import current_actor
from failsoft.messages.log_line import encode_line, safe_fields
from failsoft.telemetry.log_routing import route_logging

# What a line may have besides the fields of its event.
LINE_FIELDS: Final = {
    "timestamp": "when it was written: ISO 8601, UTC",
    "level": "`debug`, `info`, `warning`, `error` or `critical`",
    "event": "what happened: an event's name, or the words of whoever logged",
    "logger": "of a line from Python's own `logging`, or from a worker: who wrote it",
    "actor": "the path of the actor whose handler wrote it",
    "path": "the path of the actor that it is about",
    "pid": "of the worker process that wrote it, or that it is about",
    "correlation_id": "the request's, from the HTTP header to the worker and back",
    "trace_id": "the request's trace, where it is traced",
    "exception": "a traceback",
}


def configure_logging(
    output: TextIO, *, style: Literal["json", "console"] = "json", level: str = "info"
) -> None:
    """Have all of the service's log lines written to ``output``, as JSON or for a console.

    Sets structlog's global configuration, and has Python's own logging and its warnings written
    there as well. A service that has a configuration of its own leaves this alone, and gets the
    lines through that: with ``add_actor`` and ``make_safe`` in it they are as here.
    level: ``debug``, ``info``, ``warning`` or ``error``.
    """
    levels = logging.getLevelNamesMapping()
    if level.upper() not in levels:
        raise ValueError(f"level must be debug, info, warning or error; it is {level!r}")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            add_actor,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            *([_render] if style == "json" else [make_safe, _make_visible, _console(output)]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(levels[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(output),
        cache_logger_on_first_use=False,
    )
    route_logging(levels[level.upper()])


def add_actor(_logger: Any, _method: str, line: EventDict) -> EventDict:
    """Add ``actor``, the path of the actor whose handler writes the line: a structlog processor.

    For services with a structlog configuration of their own. It costs nothing until a line is
    written: the path is the name of the actor's task.
    """
    path = current_actor()
    if path is not None:
        line.setdefault("actor", path)
    return line


def make_safe(_logger: Any, _method: str, line: EventDict) -> EventDict:
    """Have the line hold plain, bounded data without secrets: a structlog processor.

    For services with a structlog configuration of their own; it goes right before the renderer.
    """
    return safe_fields(line)


def _render(_logger: Any, _method: str, line: EventDict) -> str:
    return encode_line(line)


def _make_visible(_logger: Any, _method: str, line: EventDict) -> EventDict:
    """Show control characters, which would move a terminal's cursor; a traceback has its lines."""
    return {
        name: value
        if name in ("exception", "stack")
        else _visible(value)
        if isinstance(value, str)
        else value
        for name, value in line.items()
    }


def _visible(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


def _console(output: TextIO) -> structlog.dev.ConsoleRenderer:
    # Rich's tracebacks show local variables, and so secrets.
    return structlog.dev.ConsoleRenderer(
        colors=output.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
