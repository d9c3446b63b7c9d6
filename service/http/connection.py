"""A connection: uvicorn's own, with bounds for a head that doesn't end and a reader who is gone."""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from failsoft.service.http.one_write import OneWrite

# Of an address and headers that come in more than one read. uvicorn has no bound.
_MOST_HEAD_BYTES: Final = 64 * 1024


class Connection(HttpToolsProtocol):
    """Be uvicorn's protocol. reader_limit: see ``OneWrite``."""

    def __init__(self, *arguments: Any, reader_limit: float, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._reader_limit = reader_limit
        self._head_bytes = 0
        self._under_way: RequestResponseCycle | None = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._under_way = cycle
        super()._start_asgi_task(cycle, app)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # Of several requests at once, uvicorn tells the last alone, and it is the first's turn.
        if self._under_way is not None and not self._under_way.response_complete:
            self._under_way.disconnected = True
            self._under_way.message_event.set()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        one_write = OneWrite(transport, self._reader_limit)
        super().connection_made(cast(asyncio.Transport, one_write))

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.scope is None or "method" in self.scope:  # it is known at a head's end
            self._head_bytes = 0
            return
        self._head_bytes += len(data)
        if self._head_bytes > _MOST_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The headers are too large.")
