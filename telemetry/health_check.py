"""A health check, what it finds, and the errors of checks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from failsoft.actors import System


class Unhealthy(Exception):
    """Tell what a check found to be wrong; its words are the report's."""


class CheckUnavailable(Exception):
    """Tell that a check can't be made here, and what it lacks."""


class HealthCheck(msgspec.Struct, frozen=True):
    """Describe a check.

    run: raises where something is wrong; its words are the report's. It is called with the
        system, in the event loop: what blocks is wrapped by ``in_thread``.
    critical: whether its failure makes the whole service critical, or only degraded.
    interval, timeout: in seconds; a check that takes longer than ``timeout`` has failed. It isn't
        begun again before it has ended.
    grace: seconds from the start on in which a failure doesn't count.
    bad_after, good_after: how many results in a row turn the verdict; the first one is the
        verdict by itself.
    """

    name: str
    run: Callable[[System], Awaitable[object]]
    critical: bool = False
    interval: float = 10.0
    timeout: float = 5.0
    grace: float = 0.0
    bad_after: int = 2
    good_after: int = 1

    def __post_init__(self) -> None:
        if not (self.interval > 0 and self.timeout > 0 and self.grace >= 0):
            raise ValueError(
                f"the check {self.name!r} needs an interval and a timeout of over 0 s, and a grace "
                "of at least 0 s"
            )
        if self.bad_after < 1 or self.good_after < 1:
            raise ValueError(
                f"the check {self.name!r} needs bad_after and good_after of at least 1"
            )


class CheckResult(msgspec.Struct, frozen=True):
    """Tell how a check went last.

    ok: the verdict, which takes several failures in a row to turn. message: what the last run
    found to be wrong; empty where it went well. at: when it ended; seconds: how long it took.
    """

    name: str
    critical: bool
    ok: bool
    message: str
    at: float
    seconds: float
