"""Python's own logging, routed into structlog: what libraries log looks like all other lines."""

from __future__ import annotations

import logging
from typing import Final

import structlog

from failsoft.messages.library_logs import take_over_library_logs

_LEVELS: Final = (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)


def route_logging(level: int) -> None:
    """Have what goes to Python's root logger, and its warnings, written by structlog.

    The root's handlers are replaced. So are those of libraries that write to the terminal past
    it (transformers, uvicorn), where they have been imported by now. ``level`` is the root's.
    """
    root = logging.getLogger()
    root.handlers = [RoutedHandler()]
    root.setLevel(level)
    logging.captureWarnings(True)
    take_over_library_logs()


class RoutedHandler(logging.Handler):
    """Write each record as a structlog line of the same level, with its logger's name."""

    def emit(self, record: logging.LogRecord) -> None:
        level = next((level for level in _LEVELS if level <= record.levelno), logging.DEBUG)
        exception = record.exc_info if record.exc_info and record.exc_info[0] else None
        line = structlog.get_logger().bind(logger=record.name)
        line.log(level, _message(record), exc_info=exception)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    # Whoever logs with the wrong arguments still has something to say.
    except Exception:
        return f"{record.msg} {record.args!r}"
