"""The parts of telemetry, and a system that has some of them."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator, Callable
from typing import Final

from failsoft.actors import Actor, System
from failsoft.supervisors import child, supervisor
from failsoft.telemetry import (
    ErrorLog,
    ErrorsActor,
    HealthActor,
    Metrics,
    MetricsActor,
    Scrape,
    log_events,
)

EVERYTHING: Final = ("metrics", "errors", "health", "log", "traces")

_ACTORS: Final[dict[str, Callable[[], Actor]]] = {
    "metrics": functools.partial(MetricsActor, Metrics()),
    "errors": functools.partial(ErrorsActor, ErrorLog()),
    "health": HealthActor,
}


@functools.cache
def traced() -> Callable[[], Actor] | None:
    """Give what makes a traces actor whose spans go nowhere; None without the extra ``otel``."""
    try:
        from opentelemetry.sdk.trace import TracerProvider

        from failsoft.telemetry import Traces, TracesActor
    except ImportError:
        print("no opentelemetry: install failsoft[otel] to measure traces")
        return None
    return lambda: TracesActor(Traces(TracerProvider(shutdown_on_exit=False)))


@contextlib.asynccontextmanager
async def system_with(*names: str) -> AsyncIterator[System]:
    """Run a system with these parts of telemetry: actors, ``log``, and ``traces``."""
    async with System() as system:
        starts = {**_ACTORS, "traces": traced()}
        found = ((name, starts.get(name)) for name in names)
        if children := [child(name, start) for name, start in found if start is not None]:
            await system.spawn(supervisor("telemetry", *children).start, "telemetry")
        if "log" in names:
            log_events(system.events)
        yield system
        if "metrics" in names:  # which comes after all events
            await system.ref("telemetry/metrics").ask(Scrape())
