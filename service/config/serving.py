"""Serving what a file describes: it says what it is and how to ask it, and runs."""

from __future__ import annotations

import os
import signal
import socket
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TextIO

from msgspec import UNSET

from failsoft.actors import StartFailed, TreeFailed
from failsoft.service.config.build import build
from failsoft.service.config.default import default_tree
from failsoft.service.config.file import Loaded, load
from failsoft.service.config.greeting import greeting
from failsoft.service.config.reload import Reloader
from failsoft.service.config.sections import LoggingConfig, TelemetryConfig
from failsoft.service.http import serve
from failsoft.service.http.run import listening_on
from failsoft.telemetry import configure_logging


def serve_tree(
    file: Path | None,
    output: TextIO = sys.stderr,
    *,
    host: str | None = None,
    port: int | None = None,
) -> int:
    """Serve until told to end; give the exit status. Without a file, serve the default tree.

    output: what is said and logged. host, port: in place of the file's.

    Raise BadConfig, before anything is started.
    """
    loaded = default_tree() if file is None else load(file)
    said = {"host": host, "port": port}
    place = loaded.tree.service.said("host", "port")
    place |= {name: value for name, value in said.items() if value is not None}
    try:
        listening = listening_on(**place)
    except OSError as error:
        # Below 0 are the numbers of getaddrinfo, which has words of its own.
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror or str(error)
        print(f"Nothing is served: {reason}; name another --host or --port.", file=output)
        return 1
    if file is not None:
        # It was read just now. Once it is served, this has it read again.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with listening:
        print(*greeting(loaded.tree, _url(listening)), sep="\n", file=output, flush=True)
        _set_up_logging(loaded.tree.logging, output)
        try:
            _serve(file, loaded, listening)
        except (StartFailed, TreeFailed) as error:
            print(error, file=output)
            return 1
    return 0


def _serve(file: Path | None, loaded: Loaded, listening: socket.socket) -> None:
    with _traces(loaded.tree.telemetry):
        built = build(loaded.tree, loaded.secrets)
        reload = None if file is None else Reloader(file, loaded, built).reload
        grace = loaded.tree.service.said("grace")
        serve(built.app, sockets=[listening], on_hangup=reload, **grace)


def _traces(config: TelemetryConfig) -> AbstractContextManager[None]:
    if not config.traces:
        return nullcontext()
    from failsoft.service.config.tracing import sending_traces

    return sending_traces()


def _set_up_logging(config: LoggingConfig, output: TextIO) -> None:
    style = config.format
    if style is UNSET:
        style = "console" if output.isatty() else "json"
    configure_logging(output, style=style, **config.said("level"))


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
