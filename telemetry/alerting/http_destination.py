"""Destinations that speak HTTP: where they are, and what is posted there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import msgspec

from failsoft.telemetry.alerting.delivery import Delivery, Destination, extra_needed
from failsoft.telemetry.events import AlertsChanged


class Post(msgspec.Struct, frozen=True):
    """Hold one request's body, which is JSON. ``id`` is the same at each try."""

    id: str
    body: bytes


class HttpDestination(Destination, frozen=True, kw_only=True):
    """Take posts at ``url``, which may be a secret: its host alone is shown."""

    url: str

    def __post_init__(self) -> None:
        if not _is_good(self.url):
            raise ValueError("url must be like https://host/path")

    @property
    def place(self) -> str:
        return urlsplit(self.url).hostname or ""

    def open(self) -> Delivery:
        with extra_needed():
            from failsoft.telemetry.alerting.http_delivery import HttpDelivery

        return HttpDelivery(self)

    def posts(self, event: AlertsChanged) -> Sequence[Post]:
        """Say what to send, the most urgent first."""
        raise NotImplementedError

    def headers(self, post: Post, now: float) -> Mapping[str, str]:
        """Give the headers to send at ``now``, in seconds since the epoch."""
        return {}


def _is_good(url: str) -> bool:
    try:
        parts = urlsplit(url)
        has_host = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return has_host and url.isascii() and url.isprintable() and " " not in url
