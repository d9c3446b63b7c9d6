"""Serving with uvicorn: started, drained and ended as an orchestrator expects it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import math
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final, cast

import structlog
import uvicorn

from failsoft.service.http.app import FailsoftApp
from failsoft.service.http.connection import Connection
from failsoft.service.http.systemd import READY, STOPPING, Systemd
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
    on_hangup: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C. Then take no more work, and answer what is in hand.

    sockets: to listen on, bound, in place of ``host`` and ``port``.
    grace: seconds in which what is in hand may be done; what isn't by then is answered with an
        error. A second signal ends the process at once, and its workers with it.
    on_hangup: is called at each SIGHUP, also while an earlier call of it is at work.

    Raise StartFailed, TreeFailed where the tree gives up, OSError where the port is taken.
    """
    server = http_server(app, grace)
    bound = [listening_on(host, port)] if sockets is None else list(sockets)
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(_Run(app, server, grace, on_hangup).serve(bound))


def http_server(app: FailsoftApp, grace: float = 0.0) -> uvicorn.Server:
    """Give what serves the app, for a loop and a tree that somebody else runs.

    grace: seconds in which what is in hand may be done, once its ``should_exit`` is set.
    """
    policy = app.gateway.policy
    limit_of_end = None if math.isinf(grace) else max(1, round(grace + _LAST_WORDS))
    config = uvicorn.Config(
        app,
        http=cast(Any, functools.partial(Connection, reader_limit=policy.slow_reader_limit)),
        lifespan="off",  # run around the server, so that a tree that fails ends it
        log_config=None,
        access_log=False,  # RequestFinished tells of each request, in the log of events
        server_header=False,
        timeout_keep_alive=policy.keep_alive,
        timeout_graceful_shutdown=limit_of_end,
    )
    return _Server(config)


def listening_on(host: str = "127.0.0.1", port: int = 8000) -> socket.socket:
    """Give a socket that listens. Raise OSError; uvicorn's own way would end the process."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)


class _Server(uvicorn.Server):
    """Leave the signals to us: uvicorn's own ends the process with the signal, not with 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Run:
    """Be one run of the service."""

    def __init__(
        self,
        app: FailsoftApp,
        server: uvicorn.Server,
        grace: float,
        on_hangup: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self._app = app
        app.gateway.is_told_of_end = True
        self._server = server
        self._grace = grace
        self._is_told = asyncio.Event()
        self._on_hangup = on_hangup
        self._is_hung_up = asyncio.Event()
        self._systemd = Systemd()

    async def serve(self, sockets: list[socket.socket]) -> None:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._told_to_end, number)
        if self._on_hangup is not None:
            loop.add_signal_handler(signal.SIGHUP, self._is_hung_up.set)
        try:
            async with self._app.lifespan():
                told = ", ".join(str(each.getsockname()) for each in sockets)
                log_events(self._app.system.events)
                log.info("serving", address=told)
                # What is there now stays: the collector needn't look at it again and again.
                gc.collect()
                gc.freeze()
                self._systemd.tell(READY)
                async with asyncio.TaskGroup() as group:
                    ending = group.create_task(self._end_in_time())
                    alive = group.create_task(self._systemd.keep_alive())
                    heeding = group.create_task(self._heed_hangups())
                    await self._server.serve(sockets)
                    heeding.cancel()
                    ending.cancel()
                    alive.cancel()
        finally:
            gc.unfreeze()
            for number in (*_SIGNALS, signal.SIGHUP):
                loop.remove_signal_handler(number)

    def _told_to_end(self, number: int) -> None:
        if self._server.should_exit:
            # Again: no patience. Workers end with this process, whatever ends it.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        log.info("draining", in_hand=self._app.gateway.in_hand, grace=self._grace)
        self._systemd.tell(STOPPING)
        self._app.gateway.end()
        self._server.should_exit = True
        self._is_told.set()

    async def _heed_hangups(self) -> None:
        async with asyncio.TaskGroup() as group:
            while self._on_hangup is not None:
                await self._is_hung_up.wait()
                self._is_hung_up.clear()
                group.create_task(self._hang_up(self._on_hangup))

    async def _hang_up(self, on_hangup: Callable[[], Awaitable[None]]) -> None:
        try:
            await on_hangup()
        # Whatever it is: what is served goes on.
        except Exception as error:
            log.error("hangup_failed", exc_info=error)

    async def _end_in_time(self) -> None:
        """Once told to end, have what isn't done by the end of the grace answered with errors."""
        await self._is_told.wait()
        await asyncio.sleep(self._grace)
        log.warning("grace_over", in_hand=self._app.gateway.in_hand)
        self._app.gateway.give_up()
