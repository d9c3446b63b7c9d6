"""The flight recorder in a real tree: a worker process is killed, and the file tells of it."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from failsoft.actors import System
from failsoft.messages import GenerateText
from failsoft.messages.events import ModelStateChanged, WorkerReady
from failsoft.supervisors import NO_WAIT, model, router
from failsoft.telemetry import DumpFlight, FlightRecorder, read_flight, story_of
from failsoft.testing import Die, EventRecorder, Once, Say, Script, scripted

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Run in real time: real processes are waited for."""
    return "asyncio", {}


async def test_a_killed_worker_is_an_outage_with_an_end(system: System, tmp_path: Path) -> None:
    """TL-07 WK-01 Its request was answered by the same model, once that was ready again."""
    dies_once = Once(str(tmp_path / "marker"), (Die(),))
    worker = scripted(Script(otherwise=[dies_once, Say("all is well")]))
    await system.spawn(functools.partial(FlightRecorder, tmp_path), "flight")
    events = EventRecorder(system)
    text = router("text", model("primary", worker), backoff=NO_WAIT)
    await system.spawn(text.start, text.id)
    await events.wait_for(WorkerReady)
    reply = await system.ref("text").ask(GenerateText("how are you?"), timeout=60)
    assert reply.text.strip() == "all is well"
    await events.wait_until(lambda: events.of(ModelStateChanged)[-1].after == "ready")

    story = story_of(read_flight(Path(await system.ref("flight").ask(DumpFlight()))))

    worker_out, actor_out = story.outages
    assert (worker_out.kind, actor_out.kind) == ("worker", "actor")
    assert "SIGKILL" in worker_out.cause
    assert worker_out.ended is not None
    assert actor_out.ended is not None
    (restarts,) = story.restarts
    assert (restarts.path, restarts.count) == ("text/primary", 1)
    assert story.outcomes == {"ok": 1}
