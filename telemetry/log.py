"""Logging: structlog, one line an event, with correlation id and actor path."""

from __future__ import annotations

import logging
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict

from failsoft.actors import EventBus, Subscription, current_actor
from failsoft.messages.events import (
    ActorFailed,
    ActorStarted,
    ActorStopped,
    ActorStopping,
    ChildStarting,
    DeadLettered,
    Event,
    FellBack,
    ModelLoading,
    ModelStateChanged,
    RequestFinished,
)

log = structlog.get_logger("failsoft.events")

# Told at debug level: there is one for each request or more, or the runtime has its own line.
_BUSY = {"ready", "busy"}
_QUIET = (
    ActorStarted,
    ActorStopped,
    ActorStopping,
    ActorFailed,
    ChildStarting,
    DeadLettered,
    ModelLoading,
)


def configure_logging(
    output: TextIO, *, style: Literal["json", "console"] = "json", level: str = "info"
) -> None:
    """Have all of the service's log lines written to ``output``, as JSON or for a console.

    Sets structlog's global configuration: a service that has its own leaves this alone, and
    gets the lines through that. level: ``debug``, ``info``, ``warning`` or ``error``.
    """
    levels = logging.getLevelNamesMapping()
    if level.upper() not in levels:
        raise ValueError(f"level must be debug, info, warning or error; it is {level!r}")
    renderer: Any = (
        structlog.processors.JSONRenderer(default=repr)
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=output.isatty())
    )
    formatters = [structlog.processors.format_exc_info] if style == "json" else []
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            add_actor,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *formatters,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(levels[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(output),
        cache_logger_on_first_use=False,
    )


def add_actor(_logger: Any, _method: str, line: EventDict) -> EventDict:
    """Add ``actor``, the path of the actor whose handler writes the line: a structlog processor.

    For services with a structlog configuration of their own. It costs nothing until a line is
    written: the path is the name of the actor's task.
    """
    path = current_actor()
    if path is not None:
        line.setdefault("actor", path)
    return line


def log_events(bus: EventBus) -> Subscription:
    """Have each event of the tree written as one log line; cancel the subscription to end it."""
    return bus.subscribe(_write)


def _write(event: Event) -> None:
    fields = {name: getattr(event, name) for name in event.__struct_fields__}
    name = type(event).__name__
    is_routine = isinstance(event, ModelStateChanged) and {event.before, event.after} == _BUSY
    if is_routine or isinstance(event, _QUIET):
        log.debug(name, **fields)
    elif isinstance(event, RequestFinished) and event.outcome == "ok":
        log.info(name, **fields)
    elif isinstance(event, RequestFinished | FellBack):
        log.warning(name, **fields)
    else:
        log.info(name, **fields)
