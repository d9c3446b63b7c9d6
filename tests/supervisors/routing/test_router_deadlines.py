"""Deadlines in real time, where a loop's timer may fire a moment before its time."""

from __future__ import annotations

import pytest

from failsoft.actors import System
from failsoft.messages import InferenceTimeout
from failsoft.messages.events import RequestFinished
from failsoft.supervisors import Breaker, candidate
from failsoft.testing import EventRecorder

from .crowd_actors import Log, timed
from .router_actors import HELLO, router_of, spawn_router

pytestmark = pytest.mark.anyio

MANY = 30


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    """Run in real time: uvloop's is one of whole milliseconds."""
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


async def test_each_timeout_is_told_as_one_and_counts(system: System) -> None:
    """BR-08 RT-06 However the loop rounds: none is taken for a caller who left."""
    events = EventRecorder(system)
    ref = await spawn_router(
        system,
        candidate("a", timed(Log(), 60.0)),
        breaker=Breaker(consecutive_failures=MANY + 1, failure_rate=None),
        retries=0,
    )
    for number in range(MANY):
        with pytest.raises(InferenceTimeout):
            await ref.ask(HELLO, timeout=0.005 + number * 0.00037)
    circuit = router_of(ref)._dispatcher.targets["a"].circuit
    assert circuit is not None
    # On a busy machine one may be over before the router has heard of it.
    outcomes = [event.outcome for event in events.of(RequestFinished)]
    assert set(outcomes) == {"inference_timeout"}
    assert circuit.statistics().consecutive_failures == len(outcomes)
