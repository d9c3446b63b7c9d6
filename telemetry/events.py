"""Events of telemetry's own: what it made of those that it heard."""

from __future__ import annotations

from failsoft.messages.events import Event


class ErrorSpiked(Event, frozen=True, kw_only=True):
    """There are far more errors of a type than usual: ``rate`` a minute and not ``usual``."""

    error_type: str
    rate: float
    usual: float


class ErrorSpikeEnded(Event, frozen=True, kw_only=True):
    """The errors of a type are as usual again, or as many are usual now.

    seconds: how long the spike was.
    """

    error_type: str
    rate: float
    usual: float
    seconds: float
