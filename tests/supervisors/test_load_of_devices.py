"""From a worker's heartbeat to a smaller answer: with a real worker process, and the true tree."""

from __future__ import annotations

import pytest

from failsoft.actors import System
from failsoft.gpu.script import Script
from failsoft.gpu.scripted import scripted
from failsoft.messages import GenerateText
from failsoft.messages.events import DegradationChanged
from failsoft.supervisors import ForceDegradation, LoadActor, child, model, router, supervisor
from failsoft.testing import EventRecorder

pytestmark = [pytest.mark.anyio, pytest.mark.real_time]


@pytest.fixture
def anyio_backend() -> str:
    """Run in real time: worker processes can't be hurried."""
    return "asyncio"


async def test_a_device_that_is_nearly_full_has_answers_cut(system: System) -> None:
    """DG-01 DG-02 95 of 100 bytes in use, by whomever, is over 90 %; an operator may overrule.

    Most of it is a cache that is given back when it is needed, so that requests aren't refused.
    """
    events = EventRecorder(system)
    full_device = scripted(Script(device_memory=(80, 95, 100, 70)))
    tree = supervisor(
        "root",
        child("load", lambda: LoadActor(sensors={}, period=0.05)),
        router("text", model("primary", full_device)),
    )
    await system.spawn(tree.start, tree.id)
    changed = await events.wait_for(DegradationChanged, path="root/load")
    assert (changed.after, changed.load) == ("minimal", 0.95)

    text = system.ref("root/text")
    words = GenerateText(" ".join("abcdefghij"), max_tokens=10)
    cut = await text.ask(words, timeout=60)
    assert (cut.text.split(), cut.degradation_level) == (list("abcd"), "minimal")
    assert cut.warning is not None
    assert "4 tokens instead of 10" in cut.warning

    await system.ref("root/load").ask(ForceDegradation("full"))
    whole = await text.ask(words, timeout=60)
    assert (whole.text.split(), whole.degradation_level) == (list("abcdefghij"), "full")
    assert whole.warning is None
    events.close()
