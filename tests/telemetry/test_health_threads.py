"""Checks in threads: one that hangs is failed, isn't begun beside itself, and holds up nothing."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from failsoft.actors import System
from failsoft.messages.events import Event
from failsoft.telemetry import GetHealth, Health, HealthActor, HealthChanged, HealthCheck
from failsoft.telemetry.checks import in_thread
from failsoft.testing import EventRecorder

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Run in real time: threads are waited for."""
    return "asyncio", {}


HANGS = ("its last run still hangs in its thread", "did not end within 0.02 s")


class Looked(Event, frozen=True, kw_only=True):
    """A check was run."""


async def test_what_a_function_raises_is_the_finding(system: System) -> None:
    """TL-04 It runs in another thread than the loop's."""
    seen: list[int] = []

    def look() -> None:
        seen.append(threading.get_ident())
        raise OSError("no such volume")

    with pytest.raises(OSError, match="no such volume"):
        await in_thread(look)(system)
    assert seen != [threading.get_ident()]


async def test_a_thread_that_hangs_is_failed_and_not_begun_beside_itself(system: System) -> None:
    """TL-04 Meanwhile the actor answers, and other checks are run; once it ends, all is well."""
    may_end, runs = threading.Event(), 0

    def hang() -> None:
        nonlocal runs
        runs += 1
        may_end.wait()

    async def look(system: System) -> None:
        system.events.publish(Looked, "check")

    checks = (
        HealthCheck("hangs", in_thread(hang), interval=0.03, timeout=0.02),
        HealthCheck("looks", look, interval=0.03),
    )
    events = EventRecorder(system)
    health = await system.spawn(lambda: HealthActor(Health(checks)), "health")
    try:
        for _ in range(4):
            await events.wait_for(Looked, after=events.mark())
        report = await health.ask(GetHealth())
        assert report.status == "degraded"
        (message,) = [result.message for result in report.checks if result.name == "hangs"]
        assert message in HANGS
        assert runs == 1
    finally:
        may_end.set()
    await events.wait_until(
        lambda: [change.after for change in events.of(HealthChanged)][-1:] == ["healthy"]
    )


def test_a_thread_that_hangs_does_not_keep_the_process_from_ending() -> None:
    """TL-04 As one on a dead network disk does."""
    program = """
import asyncio, threading
from failsoft.actors import System
from failsoft.telemetry.checks import in_thread

async def main():
    begun = threading.Event()
    def hang():
        begun.set()
        threading.Event().wait()
    async with System() as system:
        run = asyncio.ensure_future(in_thread(hang)(system))
        await asyncio.to_thread(begun.wait)
        run.cancel()

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-P", "-c", program], timeout=60, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
