"""What a running service says of itself. Pure: its answers in, findings out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from failsoft.service.doctor.finding import Finding, fail, ok, warn
from failsoft.service.page.rows import Row
from failsoft.telemetry import ErrorReport, HealthReport, Probe

_SAMPLE: Final = "failsoft_build_info"


def probes(health: HealthReport) -> Iterator[Finding]:
    """Check the three answers that whatever runs the service goes by."""
    yield _probe("live", health.live, "It must be started anew: the supervision tree has failed.")
    yield _probe("started", health.started, "Wait for the first loads to end.", is_passing=True)
    yield _probe(
        "ready",
        health.ready,
        "`failsoft tree` shows what is down, and until when.",
        is_passing=not health.started.ok,
    )


def _probe(check: str, probe: Probe, remedy: str, *, is_passing: bool = False) -> Finding:
    if probe.ok:
        return ok(check, "yes")
    found = "; ".join(probe.reasons) or "no"
    return warn(check, found, remedy) if is_passing else fail(check, found, remedy)


def health_checks(health: HealthReport) -> Iterator[Finding]:
    """Check what the service's own checks found, and that there are some."""
    if not health.checks:
        yield warn("health checks", "there are none", "Add a HealthActor, as docs/telemetry.md.")
        return
    critical = sum(check.critical for check in health.checks)
    found = f"{critical} critical, {len(health.checks) - critical} others"
    if not critical:
        yield warn("health checks", found, "Mark what it can't do without: critical=True.")
    else:
        yield ok("health checks", found)
    for check in health.checks:
        if not check.ok:
            tell = fail if check.critical else warn
            yield tell(f"check {check.name}", check.message, "docs/telemetry.md has what it means.")


def models(rows: Sequence[Row]) -> Iterator[Finding]:
    """Check that each model takes requests, with its circuit closed."""
    for row in rows:
        if row.role != "model" and not row.is_candidate:
            continue
        check = f"model {row.path}"
        restart = f"failsoft restart {row.path}"
        if row.forced:
            yield warn(check, f"an operator holds its circuit {row.circuit}", "Let go of it.")
        elif row.circuit not in ("", "closed"):
            yield warn(check, f"its circuit is {row.circuit}", "Its errors tell why: failsoft top.")
        elif row.is_usable:
            yield ok(check, row.state)
        elif row.until is not None:
            yield warn(check, f"{row.state}; it is restarted in a while", "Its log tells why.")
        else:
            yield warn(check, row.trouble or row.state, f"Where it stays so: {restart}")


def routes(rows: Sequence[Row]) -> Iterator[Finding]:
    """Check that each router has somebody to ask while its first model is down."""
    for router in rows:
        if router.role != "router":
            continue
        below = [row for row in rows if row.parent == router.path and row.is_candidate]
        check = f"route {router.path}"
        if any(row.takes_requests for row in below):
            yield _fallback(check, below)
        elif any(row.is_first_load for row in below):
            yield warn(check, "its models are loaded for the first time", "Wait for them.")
        else:
            yield fail(check, "no model of it takes requests", "`failsoft tree` shows why.")


def _fallback(check: str, models: Sequence[Row]) -> Finding:
    if len(models) == 1:
        return warn(check, "one model, and no fallback", "Give it a second one.")
    if not all(row.circuit for row in models):
        return warn(check, "models without a circuit", "Leave out breaker=None.")
    return ok(check, f"{len(models)} models")


def metrics(scraped: str | None) -> Finding:
    """Check what /metrics gave; None where there is nothing."""
    if scraped is None:
        return warn("metrics", "there are none", "Add a MetricsActor, as docs/telemetry.md has it.")
    if _SAMPLE not in scraped:
        found = "what comes isn't failsoft's"
        return fail("metrics", found, "See what answers at /metrics, and in front of it.")
    return ok("metrics", f"{scraped.count(chr(10))} lines at /metrics")


def errors(report: ErrorReport | None) -> Finding:
    """Check what went wrong lately."""
    if report is None:
        return warn("errors", "nobody counts them", "Add an ErrorsActor, as docs/telemetry.md.")
    found = f"{report.last_hour.total} in the last hour"
    if report.spikes:
        kinds = ", ".join(spike.kind for spike in report.spikes)
        return warn("errors", f"{found}; a spike of {kinds}", "failsoft top shows the last ones.")
    return ok("errors", found)
