"""A network that is cut, both ways or one, or slow; and a machine with a clock of its own."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator

import msgspec
import pytest
from tests.gpu.launched import Launcher, children_of, name_of, still_alive_after, watch

from failsoft.gpu.cluster.cluster_host import ClusterHost
from failsoft.gpu.cluster.command_places import CommandPlaces
from failsoft.gpu.placement import CommandPlacement
from failsoft.gpu.script import Pause, Print, Say, Script, When
from failsoft.gpu.scripted import scripted
from failsoft.messages import GenerateText
from failsoft.messages.frames import Began, Run, Timed
from failsoft.messages.wire import raw

from .network import OTHER_CLOCK, Network, can_have_other_clock

pytestmark = pytest.mark.anyio

SILENCE_LIMIT = 1.0
# The kernel probes once a second, and gives up at the first probe past the limit.
A_LITTLE = 3.0
# A slow network loses packets, and again when they are sent again, which takes the kernel a second.
SLOW_LIMIT = 3.0


@pytest.fixture
def network(launch: Launcher) -> Iterator[Network]:
    """Have workers run on another machine, so far as the network is concerned."""
    try:
        network = Network()
    except OSError as error:
        pytest.skip(f"no network of another machine can be had here: {error}")
    launch.placement = CommandPlacement(
        command=network.command,
        python=sys.executable,
        host=network.there,
        silence_limit=SILENCE_LIMIT,
    )
    yield network
    network.remove()


@pytest.fixture(params=["plain", "tls"])
def spoken(request: pytest.FixtureRequest) -> None:
    """Have this service and its keepers speak plainly, and then in TLS."""
    if request.param == "tls":
        request.getfixturevalue("ours")


@pytest.fixture
def other_clock(launch: Launcher) -> None:
    """Have workers run on a machine whose clock has run for longer."""
    if not can_have_other_clock():
        pytest.skip("no clock of another machine can be had here: unshare -T fails")
    launch.placement = CommandPlacement(command=OTHER_CLOCK, python=sys.executable)


def keeper_of(worker: int) -> int:
    """Give the keeper, wherever below this process it is."""
    below = children_of(os.getpid())
    while below:
        pid = below.pop()
        if worker in children_of(pid):
            assert name_of(pid) == "failsoft-keeper"
            return pid
        below += children_of(pid)
    raise AssertionError("it has no keeper")


def end_the_commands(places: ClusterHost) -> None:
    """End what stands for a connection that is cut, and would time out in its own time."""
    (commanded,) = places._places.values()
    assert isinstance(commanded, CommandPlaces)
    for place in commanded._places:
        place.process.kill()


def make_slow(launch: Launcher, network: Network, rate: str) -> None:
    """Have what comes from there come at ``rate``."""
    assert launch.placement is not None
    launch.placement = msgspec.structs.replace(launch.placement, silence_limit=SLOW_LIMIT)
    network.slow(rate)


@pytest.mark.parametrize("cut", [Network.cut, Network.cut_there, Network.cut_back])
async def test_a_cut_network_loses_the_worker_on_both_sides(
    places: ClusterHost, launch: Launcher, network: Network, cut: Callable[[Network], None]
) -> None:
    """WK-04 Here it is told; there it ends by itself; and healed, nothing is said twice."""
    talk = When("talk", [Say("word " * 100_000, delay=0.01)])
    worker = await launch.ready(scripted(Script(rules=[talk])))
    keeper, its_worker = watch([keeper_of(worker.pid)]), watch([worker.pid])
    id = worker.run("talk")
    await worker.first_chunk_of(id)
    cut_at = time.monotonic()
    cut(network)
    gone = await worker.ended()
    assert gone.reason in (
        "nothing has come from its machine for 1 s",
        "its keeper is gone: it closed its wire",
    )
    assert not gone.was_asked
    assert time.monotonic() - cut_at < SILENCE_LIMIT + A_LITTLE
    left = cut_at + SILENCE_LIMIT + A_LITTLE - time.monotonic()
    assert still_alive_after(its_worker, left) == set()
    assert still_alive_after(keeper, SILENCE_LIMIT + A_LITTLE) == set()
    network.heal()
    assert worker.ends_of(id) == []
    end_the_commands(places)


async def test_a_slow_network_is_no_loss(
    places: ClusterHost, launch: Launcher, network: Network, spoken: None
) -> None:
    """An answer that is under way for twice the limit arrives, also where it is the last.

    What a worker has in hand when it is asked to stop ends well.
    """
    make_slow(launch, network, "2mbit")
    limits = dict.fromkeys(("heartbeat_limit", "hang_limit", "first_step_limit"), SLOW_LIMIT)
    patient = msgspec.structs.replace(scripted(heartbeat_every=0.1, stop_grace=30.0), **limits)
    worker = await launch.ready(patient)
    large = "y" * 1_500_000
    assert (await worker.reply_of(worker.run(large, stream=False))).text == large
    last = worker.run(large, stream=False)
    await worker.report(Began, lambda began: began.id == last)
    await worker.process.stop()
    assert (await worker.ended()).exit_status == 0
    assert (await worker.reply_of(last)).text == large
    end_the_commands(places)


async def test_on_a_slow_network_a_worker_may_print_much(
    places: ClusterHost, launch: Launcher, network: Network, spoken: None
) -> None:
    """Signs of life are behind it, for longer than the limit; so it is one itself.

    The word of how it has ended is behind it, too, for longer than anything else is waited for.
    """
    make_slow(launch, network, "1mbit")
    limits = {"heartbeat_limit": 2.0, "stop_grace": 1.0, "term_grace": 0.1}
    much = Script(otherwise=[Print("x" * 65_000 + "\n", times=10), Say("done")])
    worker = await launch.ready(scripted(much, heartbeat_every=0.2, **limits))
    assert (await worker.reply_of(worker.run("go", stream=False))).text == "done"
    await worker.process.stop()
    gone = await worker.ended()
    assert (gone.exit_status, gone.was_hung) == (0, False)
    assert sum(line.event.startswith("xxx") for line in worker.lines) == 10
    end_the_commands(places)


async def test_an_answer_outlasts_an_outage(
    places: ClusterHost, launch: Launcher, network: Network, spoken: None
) -> None:
    """The last one, of a worker that has ended meanwhile; for less than the limit nothing comes."""
    make_slow(launch, network, "2mbit")
    worker = await launch.ready(scripted(stop_grace=30.0))
    large = "y" * 1_000_000
    last = worker.run(large, stream=False)
    await worker.report(Began, lambda began: began.id == last)
    its_end = watch([worker.pid])
    worker.process.ask_to_stop()
    assert await asyncio.to_thread(still_alive_after, its_end, 30.0) == set()
    network.cut()
    await asyncio.sleep(SLOW_LIMIT / 2)
    network.heal()
    assert (await worker.reply_of(last)).text == large
    assert (await worker.ended()).exit_status == 0
    end_the_commands(places)


async def test_a_deadline_holds_by_another_machines_clock(
    launch: Launcher, other_clock: None
) -> None:
    """WK-12 Past or to come; its clock says a million seconds more."""
    slow = When("slow", [Say("word " * 10_000, delay=0.01)])
    worker = await launch.ready(scripted(Script(rules=[slow])))
    late = worker.run("late", deadline=time.monotonic() - 0.001)
    assert (await worker.failure_of(late)).error.details["tokens"] == 0
    began = time.monotonic()
    # Enough for a first word, and for what is not known of the clock, however busy the machine.
    error = (await worker.failure_of(worker.run("slow", deadline=began + 1.5))).error
    assert error.kind == "inference_timeout"
    assert error.details["tokens"] > 0
    assert time.monotonic() - began > 0.75
    kept = worker.run("kept", deadline=time.monotonic() + 600.0, stream=False)
    assert (await worker.reply_of(kept)).text == "kept"


async def test_when_it_happened_is_told_by_our_clock(launch: Launcher, other_clock: None) -> None:
    """Arrived, begun, shown and ended, in this order, and between when it was sent and heard."""
    worker = await launch.ready(scripted(Script(otherwise=[Pause(0.05), Say("one two")])))
    uncertainty = worker.process._clock.uncertainty  # type: ignore[attr-defined]
    before = time.monotonic()
    worker.process.send(Run(7, raw(GenerateText("hello")), stream=True, is_timed=True))
    await worker.end_of(7)
    after = time.monotonic()
    timed = await worker.report(Timed)
    times = [before - uncertainty, timed.arrived, timed.began, timed.shown]
    times += [timed.ended, after + uncertainty]
    assert all(at is not None for at in times)
    assert times == sorted(times)
    assert uncertainty < 1.0
