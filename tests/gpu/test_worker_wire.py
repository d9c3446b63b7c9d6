"""Nonsense on the wire: the worker is lost, the service is not."""

from __future__ import annotations

from typing import Literal

import pytest

from failsoft.gpu import WorkerHost
from failsoft.gpu.handle import followed
from failsoft.gpu.script import Garble, Print, Say, Script, Stall, When
from failsoft.gpu.scripted import scripted
from failsoft.messages.frames import WIRE_VERSION

from .launched import Launcher

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("garbage", "its wire carries no sense: not a frame"),
        ("oversize", "its wire carries no sense: a frame of 16777217 bytes is over the bound"),
        ("cut", "it exited with status 1, in the middle of a frame"),
    ],
)
async def test_nonsense_loses_the_worker(
    launch: Launcher, how: Literal["garbage", "oversize", "cut"], reason: str
) -> None:
    """WK-06 What came before it is heard; the process is killed, however alive it is."""
    script = Script(rules=[When("talk", [Say("one two"), Garble(how)])])
    # Its next heartbeat has it end by itself, long before it would be killed.
    worker = await launch.ready(scripted(script, heartbeat_every=0.02))
    id = worker.run("talk")
    gone = await worker.ended()
    assert gone.reason.startswith(reason)
    assert not gone.was_asked
    assert not gone.was_hung
    assert worker.text_of(id) == "one two"
    assert worker.ends_of(id) == []


async def test_nonsense_while_loading(launch: Launcher) -> None:
    """WK-06 It makes no difference when it comes."""
    worker = await launch(scripted(Script(load=[Garble("garbage")])))
    assert "no sense" in (await worker.ended()).reason


async def test_noise_on_stdout_is_not_the_wire(launch: Launcher) -> None:
    """WK-17 Bytes printed by a library reach the log, and break nothing."""
    noise = [Print("\x00\xff binary \x9b\n", encoding="latin-1"), Print("no end of line", times=3)]
    worker = await launch.ready(scripted(Script(load=noise, otherwise=[*noise, Say("fine")])))
    assert (await worker.reply_of(worker.run(stream=False))).text == "fine"
    await worker.process.stop()
    assert any("no end of line" in line.event for line in worker.lines)


async def test_another_version_of_the_wire_is_refused(
    launch: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that speaks otherwise is killed, and the reason says so."""
    monkeypatch.setattr(followed, "WIRE_VERSION", 99)
    worker = await launch(scripted())
    assert f"version {WIRE_VERSION} of the wire, not 99" in (await worker.ended()).reason


async def test_the_host_serves_on(host: WorkerHost, launch: Launcher) -> None:
    """WK-06 After a worker was lost to nonsense the next one works, and its sibling too."""
    sibling = await launch.ready(scripted())
    bad = await launch.ready(scripted(Script(otherwise=[Garble("garbage")])))
    bad.run()
    await bad.ended()
    assert (await sibling.reply_of(sibling.run("hi", stream=False))).text == "hi"
    assert host.statistics().reapers == 1


async def test_a_worker_whose_service_hangs_up_ends_itself(launch: Launcher) -> None:
    """WK-04 It needs nobody to kill it, whatever it is doing."""
    worker = await launch.ready(scripted(Script(otherwise=[Say("a "), Stall()])))
    await worker.first_chunk_of(worker.run())
    assert worker.process._wire is not None
    worker.process._wire.close()
    assert (await worker.ended()).exit_status == 1
