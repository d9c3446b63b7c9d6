"""Worker processes: how they start, answer and end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from failsoft.gpu import WorkerHost, WorkerSpec
from failsoft.gpu.process import links
from failsoft.gpu.script import Act, Die, Pause, Progress, Say, Script, Stall, When
from failsoft.gpu.scripted import scripted
from failsoft.messages.frames import WIRE_VERSION, Done, Hello, Loading, Ready, Report
from failsoft.testing import Gate

from .launched import (
    PATIENCE,
    Launched,
    Launcher,
    exists,
    open_descriptors,
    room_for_descriptors,
)

pytestmark = pytest.mark.anyio

ECHO = scripted()
LONG = Script(rules=[When("long", [Say("well "), Pause(0.01, steps=100_000)])])


async def test_a_worker_loads_answers_and_stops(launch: Launcher) -> None:
    """Hello, progress, ready, an answer, and an end that was asked for, in this order."""
    worker = await launch(scripted(Script(load=[Progress(1, 2), Progress(2, 2)])))
    await worker.ready()
    streamed = worker.run("one two three")
    whole = worker.run("four five", stream=False)
    assert (await worker.reply_of(whole)).text == "four five"
    await worker.process.stop()
    gone = await worker.ended()
    kinds = [type(report) for report in worker.reports]
    assert kinds[0] is Hello
    assert kinds.index(Loading) < kinds.index(Ready)
    assert worker.text_of(streamed) == "one two three"
    assert len(worker.ends_of(streamed)) == 1
    assert worker.chunks_of(whole) == []
    assert (gone.exit_status, gone.was_asked, gone.was_hung) == (0, True, False)
    assert gone.pid == worker.pid


async def test_hello_says_who_it_is(launch: Launcher) -> None:
    """The pid is the worker's own, and the same that the handle has."""
    worker = await launch(ECHO)
    hello = await worker.hello()
    assert (hello.wire_version, hello.pid) == (WIRE_VERSION, worker.pid)
    assert "python" in hello.versions
    assert "torch" not in hello.versions


async def test_requests_are_answered_in_order_of_arrival(launch: Launcher) -> None:
    """Many at once: each is answered once, one after the other."""
    worker = await launch.ready(ECHO)
    ids = [worker.run(f"number {n}") for n in range(50)]
    await worker.end_of(ids[-1])
    ended = [report.id for report in worker.reports if isinstance(report, Done)]
    assert ended == ids
    assert [worker.text_of(id) for id in ids] == [f"number {n}" for n in range(50)]


async def _before_hello(worker: Launched) -> None:
    assert worker.process.pid is None


async def _while_loading(worker: Launched) -> None:
    await worker.report(Loading)


async def _mid_generation(worker: Launched) -> None:
    await worker.ready()
    await worker.first_chunk_of(worker.run("talk"))


async def _mid_reply(worker: Launched) -> None:
    await worker.ready()
    await worker.first_chunk_of(worker.run("pour"))


async def _idle(worker: Launched) -> None:
    await worker.ready()
    await worker.end_of(worker.run("hello"))


MOMENTS = [_before_hello, _while_loading, _mid_generation, _mid_reply, _idle]


def _script(moment: object) -> Script:
    load: list[Act] = [Progress(1, 2), Stall()] if moment is _while_loading else []
    talk = When("talk", [Say("well"), Stall()])
    return Script(load=load, rules=[talk, When("pour", [Say("word " * 100_000)])])


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_killed_worker_is_gone_once_and_leaves_nothing(
    host: WorkerHost, launch: Launcher, moment: Callable[[Launched], object]
) -> None:
    """WK-01 At whatever moment: one on_gone, the last word, and the descriptors are back."""
    await (await launch.ready(ECHO)).process.stop()
    before = open_descriptors()
    worker = await launch(scripted(_script(moment)))
    await moment(worker)  # type: ignore[misc]
    worker.process.kill("the test says so")
    gone = await worker.ended()
    assert open_descriptors() == before
    assert gone.reason == "the test says so"
    assert not gone.was_asked
    assert host.statistics().workers == 0
    if moment is not _before_hello:
        assert gone.exit_status == -signal.SIGKILL


@pytest.mark.parametrize("moment", MOMENTS[1:])
async def test_a_worker_that_somebody_kills_is_noticed(
    launch: Launcher, moment: Callable[[Launched], object]
) -> None:
    """WK-01 The same by a SIGKILL from outside."""
    worker = await launch(scripted(_script(moment)))
    await moment(worker)  # type: ignore[misc]
    os.kill(worker.pid, signal.SIGKILL)
    gone = await worker.ended()
    assert gone.exit_status == -signal.SIGKILL
    assert gone.reason == "it was killed by SIGKILL"
    assert not gone.was_asked
    assert not exists(worker.pid)


async def test_what_was_said_before_the_end_is_heard(
    launch: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that dies right after many chunks: all of them arrive, in order, before the end.

    Read in small pieces, so that the end is known before all is read.
    """
    monkeypatch.setattr(links, "_RECEIVE_BYTES", 8)
    text = "word " * 2_000
    worker = await launch.ready(scripted(Script(otherwise=[Say(text), Die()])))
    id = worker.run()
    await worker.ended()
    assert worker.text_of(id) == text


async def test_twenty_spawns_and_kills_leave_no_descriptor(launch: Launcher) -> None:
    """WK-01 Twenty workers killed at different moments: the descriptors are those of before."""
    await (await launch.ready(ECHO)).process.stop()
    before = open_descriptors()
    for n in range(20):
        moment = MOMENTS[n % len(MOMENTS)]
        worker = await launch(scripted(_script(moment)))
        await moment(worker)
        worker.process.kill("enough")
        await worker.ended()
    assert open_descriptors() == before


async def test_stop_lets_the_request_in_hand_end_and_refuses_the_rest(
    launch: Launcher, gate: Gate
) -> None:
    """Each request gets its one end, whichever it is."""
    script = Script(otherwise=[Say("a "), gate.wait, Say("b c d")])
    worker = await launch.ready(scripted(script, stop_grace=PATIENCE))
    first, second = worker.run(), worker.run()
    await worker.first_chunk_of(first)
    worker.process.ask_to_stop()
    assert (await worker.failure_of(second)).error.kind == "model_overloaded"
    gate.open()
    await worker.process.stop()
    assert worker.text_of(first) == "a b c d"
    assert len(worker.ends_of(first)) == len(worker.ends_of(second)) == 1
    assert (await worker.ended()).exit_status == 0


async def test_what_is_sent_just_before_stop_has_its_end(launch: Launcher) -> None:
    """In hand by then or not, each request is answered before the process ends."""
    for _ in range(10):
        worker = await launch.ready(ECHO)
        ids = [worker.run(f"number {n}") for n in range(20)]
        await worker.process.stop()
        assert [len(worker.ends_of(id)) for id in ids] == [1] * 20


async def test_stop_terminates_what_does_not_end_in_time(launch: Launcher) -> None:
    """Past its grace the worker gets SIGTERM; it still counts as asked for."""
    worker = await launch.ready(scripted(LONG, stop_grace=0.05, term_grace=PATIENCE))
    await worker.first_chunk_of(worker.run("long"))
    await worker.process.stop()
    gone = await worker.ended()
    assert (gone.exit_status, gone.was_asked, gone.was_hung) == (-signal.SIGTERM, True, False)


async def test_stop_kills_what_does_not_heed_sigterm(
    launch: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that ignores it, or has yet to come back from a long call."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).parent)])
    spec = WorkerSpec(engine="deaf_engine:DeafEngine", stop_grace=0.05, term_grace=0.05)
    worker = await launch.ready(spec)
    await worker.first_chunk_of(worker.run("long"))
    await worker.process.stop()
    gone = await worker.ended()
    assert (gone.exit_status, gone.was_asked) == (-signal.SIGKILL, True)


async def test_stop_ends_a_worker_that_is_stopped_by_a_signal(launch: Launcher) -> None:
    """SIGKILL reaches what SIGSTOP holds."""
    worker = await launch.ready(scripted(stop_grace=0.05, term_grace=0.05))
    os.kill(worker.pid, signal.SIGSTOP)
    await worker.process.stop()
    assert (await worker.ended()).exit_status == -signal.SIGKILL


async def test_stop_during_the_load_does_not_wait_for_it(launch: Launcher) -> None:
    """A load can't be told to end; the process ends instead."""
    worker = await launch(scripted(Script(load=[Progress(1, 2), Stall()]), stop_grace=60))
    await worker.report(Loading)
    await worker.process.stop()
    gone = await worker.ended()
    assert (gone.exit_status, gone.was_asked) == (0, True)


async def test_stop_before_the_process_is_there(launch: Launcher) -> None:
    """Asked for and stopped at once: one on_gone, and no process is left."""
    worker = await launch(ECHO)
    await worker.process.stop()
    assert (await worker.ended()).was_asked


async def test_stop_twice_and_at_once(launch: Launcher) -> None:
    """Both return when the process is gone."""
    worker = await launch.ready(ECHO)
    await asyncio.gather(worker.process.stop(), worker.process.stop())
    await worker.process.stop()
    assert (await worker.ended()).was_asked


async def test_stop_after_a_kill_was_not_the_reason(launch: Launcher) -> None:
    """What came first is what is told."""
    worker = await launch.ready(ECHO)
    worker.process.kill("it was killed first")
    await worker.process.stop()
    gone = await worker.ended()
    assert (gone.reason, gone.was_asked) == ("it was killed first", False)


async def test_a_cancelled_stop_still_ends_the_process(launch: Launcher) -> None:
    """The wait can be cancelled; what it waited for happens all the same."""
    worker = await launch.ready(scripted(LONG, stop_grace=0.05))
    await worker.first_chunk_of(worker.run("long"))
    stopping = asyncio.ensure_future(worker.process.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert (await worker.ended()).was_asked


async def test_a_process_never_started_is_stopped_at_once(host: WorkerHost) -> None:
    """Nothing was asked for, so nothing is told."""
    worker = Launched(ECHO, lambda _: host)
    await worker.process.stop()
    worker.process.send(Hello)  # type: ignore[arg-type]
    worker.process.kill("no matter")
    assert worker.gone == []
    with pytest.raises(RuntimeError, match="once"):
        await worker.process.start()


async def test_nothing_is_sent_to_a_process_that_is_gone(launch: Launcher) -> None:
    """send, kill and stop do nothing any more."""
    worker = await launch.ready(ECHO)
    worker.process.kill("first")
    await worker.ended()
    worker.run()
    worker.process.kill("second")
    await worker.process.stop()
    assert (await worker.ended()).reason == "first"


async def test_a_worker_that_reads_nothing_is_killed_at_a_bound(launch: Launcher) -> None:
    """Commands to a stopped worker pile up only so far."""
    worker = await launch.ready(ECHO)
    os.kill(worker.pid, signal.SIGSTOP)
    for _ in range(40):
        worker.run("x" * 1024 * 1024)
    assert (await worker.ended()).reason == "it does not read its commands"


async def test_a_listener_that_fails_loses_the_worker(host: WorkerHost) -> None:
    """A report that can't be handled must not leave a process that nobody listens to."""

    class Failing(Launched):
        def on_report(self, report: Report) -> None:
            super().on_report(report)
            if isinstance(report, Ready):
                raise ValueError("not today")

    worker = Failing(ECHO, lambda _: host)
    await worker.process.start()
    assert (await worker.ended()).reason == "its reports could not be handled"


async def test_the_state_can_be_seen(host: WorkerHost, launch: Launcher) -> None:
    """The reprs and counts of host and process follow what happens."""
    assert repr(host) == "<WorkerHost reaper None, 0 workers, 0 waiting>"
    worker = await launch(ECHO)
    assert repr(worker.process) == "<WorkerProcess None starting, 0 running>"
    assert host.statistics().waiting == 1
    await worker.ready()
    worker.run()
    assert repr(worker.process) == f"<WorkerProcess {worker.pid} ready, 1 running>"
    assert host.statistics().workers == 1
    await worker.process.stop()
    assert repr(worker.process) == f"<WorkerProcess {worker.pid} gone, 0 running>"
    now = host.statistics()
    assert (now.workers, now.waiting, now.asked, now.reapers) == (0, 0, 1, 1)


async def test_many_workers_live_side_by_side(launch: Launcher) -> None:
    """Eight at once, each with its own answers."""
    workers = await asyncio.gather(*(launch.ready(ECHO) for _ in range(8)))
    ids = [worker.run(f"worker {n}") for n, worker in enumerate(workers)]
    for n, (worker, id) in enumerate(zip(workers, ids, strict=True)):
        await worker.end_of(id)
        assert worker.text_of(id) == f"worker {n}"
    assert len({worker.pid for worker in workers}) == 8
    await asyncio.gather(*(worker.process.stop() for worker in workers))


@pytest.mark.parametrize("room", [0, 2])
async def test_too_many_open_files(host: WorkerHost, launch: Launcher, room: int) -> None:
    """No descriptor is left for a process: that is told as its end; later there is one again."""
    await launch.ready(ECHO)
    before = open_descriptors()
    with room_for_descriptors(room):
        worker = await launch(ECHO)
        gone = await worker.ended()
    assert gone.reason == "no process could be made: Too many open files"
    assert open_descriptors() == before
    await launch.ready(ECHO)


async def test_the_end_of_the_host_ends_its_workers() -> None:
    """aclose returns when all are gone; each was asked for. After it nothing can be started."""
    host = WorkerHost()
    launch = Launcher(host)
    ready, loading = await launch.ready(ECHO), await launch(scripted(Script(load=[Stall()])))
    await loading.hello()
    unborn = await launch(ECHO)
    await asyncio.gather(host.aclose(), host.aclose())
    for worker in (ready, loading, unborn):
        assert (await worker.ended()).was_asked
    assert not exists(ready.pid)
    late = await launch(ECHO)
    assert "closed" in (await late.ended()).reason
    assert repr(host) == "<WorkerHost closed, 0 workers, 0 waiting>"
