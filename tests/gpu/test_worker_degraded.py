"""From the load to smaller batches: a router, a real worker process and a real, tiny model."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec
import pytest

from failsoft.actors import System
from failsoft.gpu import text_worker
from failsoft.messages import GenerateText
from failsoft.supervisors import ForceDegradation, LoadActor, child, model, router, supervisor

from .tiny_models import save_llama

pytestmark = [pytest.mark.anyio, pytest.mark.real_time]


@pytest.fixture
def anyio_backend() -> str:
    """Run in real time: worker processes can't be hurried."""
    return "asyncio"


async def test_under_load_a_batch_takes_fewer_in(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DG-02 Of 8 at once: 8, then 5, then 2; all of them are answered."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).parent)])
    save_llama(tmp_path)
    # All are there before the first of them is done: an idle engine waits for them.
    worker = text_worker(tmp_path, device="cpu", threads=1, max_batch=8, batch_delay=1.0)
    worker = msgspec.structs.replace(worker, engine="counting_engine:CountingEngine")
    tree = supervisor(
        "root", child("load", lambda: LoadActor(sensors={})), router("text", model("tiny", worker))
    )
    await system.spawn(tree.start, tree.id)
    text = system.ref("root/text")
    most = {}
    for level in ("full", "reduced", "minimal"):
        await system.ref("root/load").ask(ForceDegradation(level))
        asked = (GenerateText("Hello", max_tokens=50, seed=n) for n in range(8))
        replies = await asyncio.gather(*(text.ask(request, timeout=60) for request in asked))
        assert {reply.degradation_level for reply in replies} == {level}
        most[level] = max(int(reply.text) for reply in replies)
    assert most == {"full": 8, "reduced": 5, "minimal": 2}
