"""TL-07: a million events, through the bus, to all of telemetry's actors that hear of them."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import structlog

from failsoft.actors import Actor, System
from failsoft.messages.events import (
    BreakerChanged,
    FellBack,
    ModelStateChanged,
    RequestRetried,
    WorkerEnded,
    WorkerSpawned,
)
from failsoft.telemetry import (
    AlertsActor,
    ErrorsActor,
    FlightRecorder,
    Metrics,
    MetricsActor,
    TracesActor,
)

from .happened import finish, finish_http
from .spans import Spans

pytestmark = pytest.mark.anyio

EVENTS = 1_000_000
PUBLISHED_AT_ONCE = 4_000  # what a mailbox has room for, twice
EVENTS_A_NAME = 50
FALLBACKS_A_NAME = 14


def publish_fifty(system: System, name: str) -> None:
    """Publish 50 events, with a path, an id and reasons that none had before."""
    publish, path, who = system.events.publish, f"root/{name}", {"correlation_id": name}
    turned = {"model": name, "before": "closed", "after": "open", "reason": name}
    publish(BreakerChanged, path, **turned, open_seconds=1.0)
    publish(ModelStateChanged, path, before="ready", after="failed")
    publish(WorkerEnded, path, pid=1, reason=name, asked=False)
    finish(system, path, outcome=name, **who)
    finish_http(system, route=name, error_type=name, **who)
    again = {"round": 1, "delay": 1.0, "cause": name, "is_owed": True, "traceparent": name}
    publish(RequestRetried, path, **again, **who)
    for _ in range(FALLBACKS_A_NAME):
        publish(FellBack, path, model=name, cause=name, **who)
    for pid in range(30):
        publish(WorkerSpawned, path, pid=pid)


async def publish_all(system: System, first: int, last: int) -> None:
    for at in range(first, last, PUBLISHED_AT_ONCE):
        for number in range(at, min(at + PUBLISHED_AT_ONCE, last), EVENTS_A_NAME):
            publish_fifty(system, f"name-{number}")
        await asyncio.sleep(0.001)  # of virtual time: until all of it has been heard


async def test_a_million_events_leave_memory_as_it_was(system: System, tmp_path: Path) -> None:
    """TL-07 Fifty of each name; 30 of them only the flight recorder hears, to be done in time.

    From a quarter of a million on, when all that is bounded is full, there are as many blocks of
    memory as before, but for 2 %, and the process grows by less than 2 MiB.
    """
    metrics = Metrics()
    starts: dict[str, Callable[[], Actor]] = {
        "metrics": lambda: MetricsActor(metrics),
        "errors": ErrorsActor,
        "alerts": AlertsActor,
        "traces": lambda: TracesActor(Spans().traces),
        "flight": lambda: FlightRecorder(tmp_path),
    }
    # What is written isn't kept, and takes longer than all the rest.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    for name, start in starts.items():
        await system.spawn(start, name)

    def memory() -> tuple[int, int]:
        gc.collect()
        return sys.getallocatedblocks(), psutil.Process().memory_info().rss

    await publish_all(system, 0, EVENTS // 4)
    blocks, resident = memory()
    await publish_all(system, EVENTS // 4, EVENTS)
    blocks_after, resident_after = memory()

    assert blocks_after < 1.02 * blocks
    assert resident_after < resident + 2 * 2**20
    assert system.events.published >= EVENTS
    assert not system.dead_letters.counts()  # nobody was spared an event
    (fallbacks,) = metrics.fallbacks.metric.collect()
    counted = sum(each.value for each in fallbacks.samples if each.name.endswith("_total"))
    assert counted == FALLBACKS_A_NAME * EVENTS / EVENTS_A_NAME
    assert len(fallbacks.samples) < 1000
