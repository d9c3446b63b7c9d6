"""Watching the client: when it goes away, the work for it stops."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final, Self

from starlette.types import Receive

# Seconds. Most answers of a fast model are there before it is worth a task to watch.
_BEGIN_AFTER: Final = 0.02


class ClientGone(Exception):
    """Tell that the client has gone away; there is nobody to answer."""


class ClientWatch:
    """Cancel the block, and raise ClientGone from it, when the client goes away.

    receive: of the request, whose body has been read: nothing but its end can come.
    others: the watches whose blocks are being run, to which this one is added.
    """

    __slots__ = ("_others", "_reason", "_receive", "_task", "_timer", "_watcher")

    def __init__(self, receive: Receive, others: set[ClientWatch]) -> None:
        self._receive = receive
        self._others = others
        self._reason: Exception | None = None

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._watcher: asyncio.Task[None] | None = None
        self._timer = task.get_loop().call_later(_BEGIN_AFTER, self._begin)
        self._others.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._others.discard(self)
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        if self._reason is None:
            return
        # Cancelled by the watch alone, and not by the server as well.
        if self._task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise self._reason

    def interrupt(self, reason: Exception) -> None:
        """Cancel the block now, and raise ``reason`` from it."""
        if self._reason is None:
            self._reason = reason
            self._task.cancel()

    def _begin(self) -> None:
        self._watcher = self._task.get_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.interrupt(ClientGone())
