"""Delivery by HTTP: one post at a time, and what its answer means."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Final

import httpx2

from failsoft.actors.http_client import open_client
from failsoft.telemetry.alerting.delivery import NotDelivered
from failsoft.telemetry.alerting.http_destination import HttpDestination, Post
from failsoft.telemetry.events import AlertsChanged

# Of the answers that say no, these may be another one later: as are all from 500 on.
_LATER: Final = (408, 425, 429)


class HttpDelivery:
    """Send posts to where a destination says.

    wall_clock: gives seconds since the epoch, for signatures.

    Raises ValueError where the URL can't be one.
    """

    def __init__(
        self, destination: HttpDestination, *, wall_clock: Callable[[], float] = time.time
    ) -> None:
        try:
            self._url = httpx2.URL(destination.url)
        except httpx2.InvalidURL:
            raise ValueError(f"the url of {destination!r} is none; check its host") from None
        self._destination = destination
        self._wall_clock = wall_clock
        self._client: httpx2.AsyncClient | None = None

    def parts(self, event: AlertsChanged) -> Sequence[Post]:
        return self._destination.posts(event)

    async def send(self, part: Post) -> None:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "failsoft",
            **self._destination.headers(part, self._wall_clock()),
        }
        if self._client is None:
            # Whoever sends bounds the time of it as a whole.
            self._client = await open_client(timeout=None)
        try:
            # What the answer says besides is not read, so it needs no bound.
            async with self._client.stream(
                "POST", self._url, content=part.body, headers=headers
            ) as response:
                status, said = response.status_code, dict(response.headers)
        except httpx2.HTTPError as error:
            # Not its words: the URL may be a secret, and be in them.
            raise NotDelivered(f"it can't be reached ({type(error).__name__})") from None
        if not 200 <= status < 300:
            raise NotDelivered(
                f"it answered with status {status}",
                is_final=status < 500 and status not in _LATER,
                retry_after=_retry_after(said, self._wall_clock()),
            )

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.aclose()


def _retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Give the seconds to wait, of a number of them or of a date; None where nothing is said."""
    said = headers.get("retry-after", "")
    with contextlib.suppress(ValueError, TypeError):
        if said.isdecimal():
            return float(said)
        return max(0.0, parsedate_to_datetime(said).timestamp() - now)
    return None
