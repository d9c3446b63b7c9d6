"""Log lines of a worker: JSON on its stderr, and what the service makes of each line."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import structlog

from failsoft.messages.library_logs import take_over_library_logs
from failsoft.messages.log_line import encode_line

MAX_LINE_BYTES = 64 * 1024

_LEVELS = frozenset({"debug", "info", "warning", "error", "critical"})
_SAME_LEVEL = {"warn": "warning", "exception": "error", "fatal": "critical"}
# What the logging calls that the fields are handed to take for themselves.
_RESERVED = frozenset({"self", "event", "level", "exc_info", "stack_info"})
_decoder = msgspec.json.Decoder(dict[str, Any])


class WorkerLine(msgspec.Struct, frozen=True):
    """Hold one line of a worker's output.

    level: ``debug``, ``info``, ``warning``, ``error`` or ``critical``; ``info`` for what was
        printed and not logged.
    fields: what else was logged, ``logger`` and ``exception`` among it.
    """

    level: str
    event: str
    correlation_id: str | None = None
    fields: dict[str, Any] = {}

    def log_to(self, log: Any) -> None:
        """Write it to a logger of structlog's."""
        getattr(log, self.level)(self.event, **self.fields)


def parse_line(line: bytes) -> WorkerLine:
    """Give what a line says. Anything that is no log line is plain text; nothing raises."""
    try:
        fields = _decoder.decode(line)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return _plain(line)
    event, level = fields.pop("event", None), fields.pop("level", None)
    level = _SAME_LEVEL.get(level, level) if isinstance(level, str) else None
    if not isinstance(event, str) or level not in _LEVELS:
        return _plain(line)
    correlation_id = fields.pop("correlation_id", None)
    if correlation_id is not None and not isinstance(correlation_id, str):
        correlation_id = str(correlation_id)
    for name in _RESERVED & fields.keys():
        fields[f"{name}_"] = fields.pop(name)
    return WorkerLine(level, event, correlation_id, fields)


def _plain(line: bytes) -> WorkerLine:
    text = line.decode("utf-8", errors="replace")
    shown = "".join(
        c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )
    return WorkerLine("info", shown)


class LineCutter:
    """Cut a stream of bytes into lines. Pure. A line over the bound is cut there, its rest left."""

    def __init__(self, max_bytes: int = MAX_LINE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes as they came; give each line that is complete, without its end."""
        *ends, rest = data.split(b"\n")
        for end in ends:
            self._add(end)
            yield from self.flush()
        self._add(rest)

    def flush(self) -> Iterator[bytes]:
        """Give the last line, where it has no end."""
        line = bytes(self._held).removesuffix(b"\r")
        self._held.clear()
        if line.strip():
            yield line

    def _add(self, part: bytes) -> None:
        self._held += part[: self._max_bytes - len(self._held)]


def configure_worker_log() -> None:
    """Have structlog and logging write one JSON object a line on this process's stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
    ]
    structlog.configure(
        processors=[
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _render,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    take_over_library_logs()


def _render(_logger: Any, _method: str, fields: Any) -> str:
    return encode_line(fields)
