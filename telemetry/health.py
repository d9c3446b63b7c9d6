"""Health: what the checks found, and the answers that follow from it. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from failsoft.actors import TreeNode
from failsoft.telemetry.checks.default import default_checks
from failsoft.telemetry.damping import Damping
from failsoft.telemetry.health_check import CheckResult, HealthCheck
from failsoft.telemetry.probes import Probe, first_start, liveness, model_states, readiness

Status = Literal["healthy", "degraded", "critical"]


class HealthReport(msgspec.Struct, frozen=True):
    """Tell how the service is.

    status: ``critical`` where a critical check fails, ``degraded`` where another one does.
    checks: how each went last. models: path → readiness state.
    live: not so, it must be started anew. ready: requests may be sent to it. started: its first
        start is over; this stays so.
    """

    status: Status
    critical_failures: tuple[str, ...]
    checks: tuple[CheckResult, ...]
    models: dict[str, str]
    live: Probe
    ready: Probe
    started: Probe


class Health:
    """Hold the checks and their verdicts.

    Made once, outside of the actor that runs the checks, so that it outlives that.
    checks: None takes ``default_checks()``.
    """

    __slots__ = ("_began", "_dampings", "_has_started", "_results", "checks", "status")

    def __init__(self, checks: Sequence[HealthCheck] | None = None) -> None:
        checks = default_checks() if checks is None else checks
        self.checks = {check.name: check for check in checks}
        if len(self.checks) < len(checks):
            raise ValueError("two health checks have the same name; rename one of them")
        self._dampings = {
            check.name: Damping(check.bad_after, check.good_after) for check in checks
        }
        self._results: dict[str, CheckResult] = {}
        self._began: float | None = None
        self._has_started = False
        self.status: Status = "healthy"

    def begin(self, now: float) -> None:
        """Say that checks are run from now on; the first call counts, for their graces."""
        if self._began is None:
            self._began = now

    def add(self, name: str, message: str, began: float, now: float) -> Status | None:
        """Take in what a run found to be wrong, or nothing; give the status that it changed.

        What was before is returned, and ``status`` is what it has become; None: no change.
        """
        self.begin(began)
        check, damping = self.checks[name], self._dampings[name]
        assert self._began is not None
        if not message or now >= self._began + check.grace:
            damping.add(not message)
        is_ok = damping.verdict is not False
        self._results[name] = CheckResult(name, check.critical, is_ok, message, now, now - began)
        before, self.status = self.status, self._status()
        return before if before != self.status else None

    def _status(self) -> Status:
        if self.critical_failures:
            return "critical"
        return "healthy" if all(result.ok for result in self._results.values()) else "degraded"

    @property
    def critical_failures(self) -> tuple[str, ...]:
        """Give the names of the critical checks that fail."""
        return tuple(r.name for r in self._results.values() if r.critical and not r.ok)

    @property
    def has_started(self) -> bool:
        """Tell whether the tree's first start is over, as far as anybody has looked."""
        return self._has_started

    def look(self, tree: tuple[TreeNode, ...]) -> Probe:
        """See whether the first start is over; once it is, it stays so."""
        if self._has_started:
            return Probe(True)
        started = first_start(tree)
        self._has_started = started.ok
        return started

    def report(self, tree: tuple[TreeNode, ...]) -> HealthReport:
        """Tell how the service is, whose tree is now as given."""
        return HealthReport(
            status=self.status,
            critical_failures=self.critical_failures,
            checks=tuple(self._results.values()),
            models=model_states(tree),
            live=liveness(tree),
            ready=readiness(tree),
            started=self.look(tree),
        )

    def __repr__(self) -> str:
        failing = [result.name for result in self._results.values() if not result.ok]
        return f"<Health {self.status}, {len(self.checks)} checks, failing: {failing or 'none'}>"
