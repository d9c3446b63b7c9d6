"""Deliveries: the way to one receiver, what is sent on it, and how it is told that it failed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import msgspec

from failsoft.telemetry.events import AlertsChanged


class NotDelivered(Exception):
    """Tell why a try failed, in words without secrets.

    is_final: another try would fail as well. retry_after: seconds that the receiver asks for.
    """

    def __init__(
        self, reason: str, *, is_final: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_final = is_final
        self.retry_after = retry_after


class Delivery(Protocol):
    """Be the open way to a receiver."""

    def parts(self, event: AlertsChanged) -> Sequence[Any]:
        """Give what is to be sent, the most urgent first; each part is tried by itself."""

    async def send(self, part: Any) -> None:
        """Send a part. Raise NotDelivered; whatever else it raises ends the receiver's actor."""

    async def aclose(self) -> None:
        """Close it."""


class Destination(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Say where alerts go: plain data, whose secrets show nowhere."""

    @property
    def place(self) -> str:
        """Give what may be shown of it."""
        raise NotImplementedError

    def open(self) -> Delivery:
        """Open the way there. Raise ModuleNotFoundError where the extra ``alerts`` is missing."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.place})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("place", self.place)]


@contextlib.contextmanager
def extra_needed() -> Iterator[None]:
    """Say what to do where a package isn't there."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"to send alerts there, the package '{error.name}' is needed; "
            "run pip install 'failsoft[alerts]'",
            name=error.name,
        ) from error
