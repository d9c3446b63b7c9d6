"""A worker at another place: how its start, its keeper and its host are lost, and what is left."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time

import msgspec
import pytest
from tests.gpu.launched import (
    Launched,
    Launcher,
    children_of,
    name_of,
    open_descriptors,
    room_for_descriptors,
    still_alive_after,
    watch,
)

from failsoft.gpu.cluster import connect
from failsoft.gpu.cluster.cluster_host import ClusterHost
from failsoft.gpu.cluster.command_places import CommandPlace, CommandPlaces
from failsoft.gpu.cluster.keeper_address import KeeperOrder
from failsoft.gpu.placement import CommandPlacement
from failsoft.gpu.script import Act, Print, Progress, Say, Script, Stall, When
from failsoft.gpu.scripted import scripted
from failsoft.messages.frames import Heartbeat, Loading, Ready

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("clean_loop")]

ECHO = scripted()
POUR = scripted(Script(rules=[When("pour", [Say("word " * 100_000)]), When("hold", [Stall()])]))
# The law: within 2 s.
LIMIT = 2.0
# Less than it takes a keeper that nobody claims to end by itself.
PATIENCE = 20.0


def keepers() -> list[int]:
    """Give the keepers that this process has started."""
    return [pid for pid in children_of(os.getpid()) if name_of(pid) == "failsoft-keeper"]


def keeper() -> int:
    (pid,) = keepers()
    return pid


def _places(host: ClusterHost) -> list[CommandPlace]:
    """Give the places that were given and whose command hasn't ended."""
    return [
        place
        for places in host._places.values()
        if isinstance(places, CommandPlaces)
        for place in places._places
    ]


def with_silence_limit(launch: Launcher, limit: float) -> None:
    assert launch.placement is not None
    launch.placement = msgspec.structs.replace(launch.placement, silence_limit=limit)


def by_command(launch: Launcher, *command: str, **fields: object) -> None:
    """Have places be given by a command that stands before the keeper's."""
    launch.placement = CommandPlacement(command=command, python=sys.executable, **fields)  # type: ignore[arg-type]


# -- places that a command can't give


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("/no/such/program",), "its command can't be run: .*No such file"),
        (("false",), "its command ended with status 1: it said nothing"),
        (("sh", "-c", "echo no such node >&2; exit 255"), "status 255: no such node"),
        (("sh", "-c", "exec <&-; exit 3"), "status 3: it said nothing"),
        (("sh", "-c", "echo hello; read line; kill -9 $$"), "status -9: hello"),
    ],
)
async def test_a_command_that_gives_no_place(
    launch: Launcher, command: tuple[str, ...], said: str
) -> None:
    """What the command said last is why there is no worker."""
    by_command(launch, *command)
    worker = await launch(ECHO)
    gone = await worker.ended()
    assert gone.pid is None
    assert not gone.was_asked
    assert gone.reason.startswith("no place on another machine could be made: ")
    assert re.search(said, gone.reason), gone.reason


async def test_a_command_that_says_nothing_is_given_up(launch: Launcher) -> None:
    """And ended, with all that it has started."""
    by_command(launch, "sh", "-c", "cat; exit", place_limit=0.2)
    worker = await launch(ECHO)
    assert "no keeper was started within 0.2 s" in (await worker.ended()).reason


async def test_what_a_command_says_before_the_keeper_speaks_is_logged(launch: Launcher) -> None:
    """As machines greet whoever logs in; it isn't taken for an address."""
    by_command(launch, "sh", "-c", 'echo "welcome to node 7"; echo "{}"; exec "$0" "$@"')
    worker = await launch.ready(ECHO)
    assert (await worker.reply_of(worker.run("hello", stream=False))).text == "hello"


async def test_an_address_that_is_none_of_its_machine(launch: Launcher) -> None:
    """The keeper can't listen there, and says so."""
    by_command(launch, host="203.0.113.7")
    worker = await launch(ECHO)
    assert "Cannot assign requested address" in (await worker.ended()).reason


# -- the end of its start


async def test_a_start_can_be_stopped_while_there_is_no_place(launch: Launcher) -> None:
    """The command is ended; nothing waits for the limit of places."""
    by_command(launch, "sh", "-c", "read line; exec cat")
    starting = asyncio.ensure_future(launch(ECHO))
    await asyncio.sleep(0)
    worker = launch.launched[0]
    await worker.process.stop()
    await starting
    gone = await worker.ended()
    assert (gone.was_asked, gone.pid) == (True, None)


@pytest.mark.parametrize("turns", [None, 0, 1, 3, 8])
@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_a_start_is_ended_at_any_turn(
    places: ClusterHost, launch: Launcher, turns: int | None, is_cancelled: bool
) -> None:
    """One on_gone, and its keeper ends; whether it is killed, or its start is cancelled too.

    Turns of the loop are counted from when the keeper's address is there; None is within that.
    """
    before = asyncio.all_tasks()
    started = asyncio.ensure_future(launch(ECHO))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    (place,) = _places(places)
    worker = launch.launched[0]

    def end(_: object = None) -> None:
        if not is_cancelled or not started.cancel():
            worker.process.kill("its start was cancelled")

    if turns is None:
        place.is_there.add_done_callback(end)
    await asyncio.wait([place.is_there])
    for _ in range(turns or 0):
        await asyncio.sleep(0)
    if turns is not None:
        end()
    assert (await worker.ended()).reason == "its start was cancelled"
    await asyncio.wait([started])
    async with asyncio.timeout(PATIENCE):
        await place.process.gone.wait()
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_keeper_that_can_not_be_reached(
    places: ClusterHost,
    launch: Launcher,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
) -> None:
    """It has told its address, and doesn't answer there: that is said, and it is let go."""
    monkeypatch.setattr(connect, "_CONNECT_LIMIT", 0.3)
    started = asyncio.ensure_future(launch(ECHO))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    (place,) = _places(places)
    place.is_there.add_done_callback(lambda _: os.kill(keeper(), number))
    gone = await launch.launched[0].ended()
    await started
    assert re.search(r"its keeper at 127.0.0.1:\d+ (could not be reached|was not)", gone.reason)
    assert gone.exit_status is None
    place.process.kill()


async def test_its_host_is_closed_while_it_is_placed(places: ClusterHost, launch: Launcher) -> None:
    """It was asked for, as with any worker; after that there are no places."""
    placing = asyncio.ensure_future(launch(ECHO))
    await asyncio.sleep(0)
    await asyncio.gather(places.aclose(), places.aclose())
    await placing
    assert (await launch.launched[0].ended()).was_asked
    late = await launch(ECHO)
    assert (await late.ended()).reason == "its host was closed"
    assert repr(places).startswith("<ClusterHost closed, ")


async def test_the_end_of_its_host_ends_a_worker(places: ClusterHost, launch: Launcher) -> None:
    """Ready or loading; each was asked for, and its processes are gone."""
    ready, loading = await launch.ready(ECHO), await launch(scripted(Script(load=[Stall()])))
    await loading.hello()
    pidfds = watch([*keepers(), ready.pid, loading.pid])
    assert len(pidfds) == 4
    await places.aclose()
    for worker in (ready, loading):
        gone = await worker.ended()
        assert (gone.was_asked, gone.reason) == (True, "its host was closed")
    assert still_alive_after(pidfds, LIMIT) == set()


@pytest.mark.parametrize("room", range(0, 8, 2))
async def test_too_many_open_files(places: ClusterHost, launch: Launcher, room: int) -> None:
    """However far its start comes: it ends once, leaves no descriptor, and later there is room."""
    before = open_descriptors()
    with room_for_descriptors(room):
        worker = await launch(ECHO)
        gone = await worker.ended()
    assert "Too many open files" in gone.reason
    for place in _places(places):
        await place.process.gone.wait()
    assert open_descriptors() == before


# -- the end of its keeper


async def _loading(worker: Launched) -> None:
    await worker.report(Loading)


async def _idle(worker: Launched) -> None:
    await worker.end_of(worker.run("hello"))


async def _pouring(worker: Launched) -> None:
    await worker.first_chunk_of(worker.run("pour"))


@pytest.mark.parametrize("moment", [_loading, _idle, _pouring])
async def test_a_keeper_that_is_killed_takes_its_worker_along(
    launch: Launcher, moment: object
) -> None:
    """WK-01 Noticed at once; the worker ends with it."""
    load: list[Act] = [Progress(1, 2), Stall()] if moment is _loading else []
    worker = await launch(scripted(Script(load=load, rules=[When("pour", [Say("w " * 100_000)])])))
    await moment(worker)  # type: ignore[operator]
    pidfds = watch([keeper(), worker.pid])
    os.kill(keeper(), signal.SIGKILL)
    gone = await worker.ended()
    assert gone.reason == "its keeper is gone: it closed its wire"
    assert (gone.was_asked, gone.was_hung, gone.exit_status) == (False, False, None)
    assert still_alive_after(pidfds, LIMIT) == set()


@pytest.mark.parametrize("request_", ["hold", "pour"])
async def test_a_keeper_that_stands_still_is_lost(launch: Launcher, request_: str) -> None:
    """Nothing comes from its machine, though the worker itself still speaks."""
    with_silence_limit(launch, 1.0)
    worker = await launch.ready(POUR)
    worker.run(request_)
    await worker.report(Heartbeat)
    stopped, pidfds = keeper(), watch([worker.pid])
    os.kill(stopped, signal.SIGSTOP)
    gone = await worker.ended()
    assert gone.reason == "nothing has come from its machine for 1 s"
    assert not gone.was_hung
    assert still_alive_after(pidfds, LIMIT) == set()
    os.kill(stopped, signal.SIGCONT)


async def test_a_worker_whose_keeper_stands_still_is_killed_in_the_end(launch: Launcher) -> None:
    """Told to end it, the keeper does nothing: it is given up, and the worker's wire is closed."""
    worker = await launch.ready(POUR)
    stopped, pidfds = keeper(), watch([worker.pid])
    os.kill(stopped, signal.SIGSTOP)
    worker.process.kill("enough")
    gone = await worker.ended()
    assert (gone.reason, gone.exit_status) == ("enough", None)
    assert still_alive_after(pidfds, LIMIT) == set()
    os.kill(stopped, signal.SIGCONT)


async def test_this_service_standing_still_is_no_silence(launch: Launcher) -> None:
    """What came meanwhile is unread: the keeper has all its time again."""
    with_silence_limit(launch, 1.0)
    worker = await launch.ready(scripted(heartbeat_every=0.1))
    time.sleep(1.5)  # noqa: ASYNC251 - the loop is to stand still
    beats = len(worker.reports)
    await worker.until(lambda: len(worker.reports) > beats + 20 or None)
    assert (await worker.reply_of(worker.run("still here", stream=False))).text == "still here"
    assert worker.gone == []


async def test_no_deadline_is_told_before_the_clock_is_known(launch: Launcher) -> None:
    """DE A worker that is ready first is so for the service once its keeper has answered."""
    worker = await launch(scripted(Script(load=[Progress(1, 1)])))
    clock = worker.process._clock  # type: ignore[attr-defined]
    os.kill(keeper(), signal.SIGSTOP)
    clock._samples.clear()
    del worker.reports[:]
    worker.process._on_report(Ready({}))
    assert not worker.is_told(Ready)
    os.kill(keeper(), signal.SIGCONT)
    await worker.ready()
    assert clock.is_known


# -- what it tells


async def test_the_state_can_be_seen(places: ClusterHost, launch: Launcher) -> None:
    """Where it is, and how it is; so do its host's places."""
    assert repr(places) == "<ClusterHost []>"
    worker = await launch(ECHO)
    await worker.ready()
    handle = worker.process
    assert repr(handle) == f"<ClusterWorker {worker.pid} at 127.0.0.1, ready, 0 running>"
    assert handle.node == "127.0.0.1"
    assert repr(places) == "<ClusterHost [<CommandPlaces 1 places>]>"
    await handle.stop()
    assert repr(handle) == f"<ClusterWorker {worker.pid} at 127.0.0.1, gone, 0 running>"


async def test_an_end_in_the_middle_of_output_has_its_last_line(launch: Launcher) -> None:
    """WK-17 A line without an end is told before the worker is gone."""
    worker = await launch.ready(scripted(Script(rules=[When("say", [Print("half a line")])])))
    await worker.end_of(worker.run("say"))
    worker.process.kill("enough")
    await worker.ended()
    assert [line.event for line in worker.lines] == ["half a line"]


async def test_a_place_that_nobody_waits_for_is_let_go() -> None:
    """A command's place whose asker was cancelled: the command ends."""
    places = CommandPlaces()
    order = KeeperOrder(b"k" * 32, 1.0)
    asking = asyncio.ensure_future(places.place(CommandPlacement(python=sys.executable), order))
    await asyncio.sleep(0)
    (place,) = places._places
    asking.cancel()
    await asyncio.wait([asking])
    await place.process.gone.wait()
    assert repr(places) == "<CommandPlaces 0 places>"
