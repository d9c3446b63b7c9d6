"""The picture: all that a live page shows of one moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from failsoft.service.page.history import Happening
from failsoft.service.page.rows import Row
from failsoft.service.page.trouble import Trouble
from failsoft.telemetry import AlertReport, ErrorReport, HealthReport
from failsoft.telemetry.alerting.alert import Alert
from failsoft.telemetry.error_log import ErrorRecord

_MOST_ERRORS: Final = 10
_MOST_ALERTS: Final = 20


class FailedCheck(msgspec.Struct, frozen=True):
    """Be a health check that fails."""

    name: str
    critical: bool
    message: str


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """Be what telemetry's actors tell; None where there is no such actor, or it doesn't answer.

    errors: the last ones, newest first. error_count: of the last hour.
    health: ``healthy``, ``degraded`` or ``critical``.
    """

    health: str | None = None
    failed_checks: tuple[FailedCheck, ...] = ()
    alerts: tuple[Alert, ...] | None = None
    errors: tuple[ErrorRecord, ...] | None = None
    error_count: int = 0

    @classmethod
    def by(
        cls, errors: ErrorReport | None, alerts: AlertReport | None, health: HealthReport | None
    ) -> Told:
        checks = () if health is None else health.checks
        return cls(
            health=None if health is None else health.status,
            failed_checks=tuple(
                FailedCheck(check.name, check.critical, check.message)
                for check in checks
                if not check.ok
            ),
            alerts=None if alerts is None else alerts.firing[:_MOST_ALERTS],
            errors=None if errors is None else errors.recent[:_MOST_ERRORS],
            error_count=0 if errors is None else errors.last_hour.total,
        )


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """Show the service. Times are in seconds, on the system's clock.

    in_hand: requests for models, over HTTP. models: the names that texts can be asked of.
    level: of degradation; load: that it follows from, 0 to 1. restarts: of all actors.
    troubles: the worst first. rows: the tree, parents first, as far as it is shown.
    happened: what befell the tree, the newest first.
    """

    is_draining: bool
    in_hand: int
    models: tuple[str, ...]
    level: str
    load: float | None
    restarts: int
    troubles: tuple[Trouble, ...]
    rows: Sequence[Row]
    happened: tuple[Happening, ...]
    told: Told


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """Begin a stream of pictures. at: the time now, on the system's clock, in seconds.

    is_operator: who looks may steer. has_operators: somebody may; there is a token.
    rates: the tokens a second of each model, up to two minutes back, each time with its own.
    """

    at: float
    is_operator: bool
    has_operators: bool
    rates: tuple[tuple[float, dict[str, float]], ...]


class Beat(msgspec.Struct, frozen=True):
    """Tell that nothing has changed, by ``at``."""

    at: float


class NoTree(msgspec.Struct, frozen=True):
    """Tell that there is nothing to show, and why."""

    says: str
