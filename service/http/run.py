"""Serving with uvicorn: started, drained and ended as an orchestrator expects it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from typing import Final

import structlog
import uvicorn

from failsoft.service.http.app import FailsoftApp
from failsoft.telemetry import log_events

log = structlog.get_logger("failsoft.http")

_BACKLOG: Final = 2048
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
# After the grace time what is in hand is answered with errors, which takes a moment.
_LAST_WORDS: Final = 2.0


def serve(
    app: FailsoftApp,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    sockets: Sequence[socket.socket] | None = None,
    grace: float = 30.0,
) -> None:
    """Serve until SIGTERM or Ctrl-C. Then take no more work, and answer what is in hand.

    sockets: to listen on, bound, in place of ``host`` and ``port``.
    grace: seconds in which what is in hand may be done; what isn't by then is answered with an
        error. A second signal ends the process at once, and its workers with it.

    Raise StartFailed, TreeFailed where the tree gives up, OSError where the port is taken.
    """
    config = uvicorn.Config(
        app,
        lifespan="off",  # run around the server, so that a tree that fails ends it
        log_config=None,
        access_log=False,  # RequestFinished tells of each request, in the log of events
        server_header=False,
        timeout_graceful_shutdown=max(1, round(grace + _LAST_WORDS)),
    )
    bound = [_bound(host, port)] if sockets is None else list(sockets)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_Run(app, config, grace).serve(bound))


def _bound(host: str, port: int) -> socket.socket:
    # uvicorn's own ends the process where the port is taken.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)


class _Server(uvicorn.Server):
    """Leave the signals to us: uvicorn's own ends the process with the signal, not with 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Run:
    """Be one run of the service."""

    def __init__(self, app: FailsoftApp, config: uvicorn.Config, grace: float) -> None:
        self._app = app
        self._server = _Server(config)
        self._grace = grace
        self._is_told = asyncio.Event()

    async def serve(self, sockets: list[socket.socket]) -> None:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._told_to_end, number)
        try:
            async with self._app.lifespan():
                told = ", ".join(str(each.getsockname()) for each in sockets)
                log_events(self._app.system.events)
                log.info("serving", address=told)
                async with asyncio.TaskGroup() as group:
                    ending = group.create_task(self._end_in_time())
                    await self._server.serve(sockets)
                    ending.cancel()
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    def _told_to_end(self, number: int) -> None:
        if self._server.should_exit:
            # Again: no patience. Workers end with this process, whatever ends it.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        log.info("draining", in_hand=self._app.gateway.in_hand, grace=self._grace)
        self._app.gateway.drain()
        self._server.should_exit = True
        self._is_told.set()

    async def _end_in_time(self) -> None:
        """Once told to end, have what isn't done by the end of the grace answered with errors."""
        await self._is_told.wait()
        await asyncio.sleep(self._grace)
        log.warning("grace_over", in_hand=self._app.gateway.in_hand)
        self._app.gateway.give_up()
