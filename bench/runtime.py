"""How fast the actor runtime is: ``python -m bench.runtime``.

Writes build/bench/runtime.json. The aims are those of the design, on one machine, in one run.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import platform
import subprocess
import sys
import tracemalloc
from pathlib import Path
from time import process_time

import msgspec
import structlog

from bench.paired import Paired, compare
from failsoft.actors import Actor, Ping, System, handles
from failsoft.messages import Message, Request
from failsoft.messages.events import ChildRestarted
from failsoft.supervisors import NO_WAIT, Intensity, Supervisor, child, supervisor

OUTPUT = Path("build/bench/runtime.json")

# A sender that never waits would fill the mailbox: it sends so many, then lets the other run.
BURST = 64
RESTARTS = 1_000
CROWD = 100_000


class Tick(Message, frozen=True):
    pass


class Echo(Request[int], frozen=True):
    number: int


class Ticked(Actor):
    """Count ticks; set ``done`` at the last."""

    def __init__(self, ticks: int) -> None:
        self.left = ticks
        self.done = asyncio.get_running_loop().create_future()

    @handles(Tick)
    def tick(self, _message: Tick) -> None:
        self.left -= 1
        if not self.left:
            self.done.set_result(None)

    @handles(Echo)
    def echo(self, message: Echo) -> int:
        return message.number


class Idle(Actor):
    @handles(Tick)
    def tick(self, _message: Tick) -> None:
        pass


async def tell(operations: int) -> float:
    actor = Ticked(operations)
    async with System() as system:
        ref = await system.spawn(lambda: actor, "ticked")
        message = Tick()
        began = process_time()
        for _ in range(operations // BURST):
            for _ in range(BURST):
                ref.tell(message)
            await asyncio.sleep(0)
        await actor.done
        return process_time() - began


async def queue(operations: int) -> float:
    queue: asyncio.Queue[Tick] = asyncio.Queue()
    message = Tick()

    async def consume() -> None:
        left = operations
        while left:
            await queue.get()
            left -= 1

    consumer = asyncio.create_task(consume())
    await asyncio.sleep(0)
    began = process_time()
    for _ in range(operations // BURST):
        for _ in range(BURST):
            await queue.put(message)
        await asyncio.sleep(0)
    await consumer
    return process_time() - began


async def ask(operations: int) -> float:
    async with System() as system:
        ref = await system.spawn(lambda: Ticked(1), "ticked")
        request = Echo(1)
        began = process_time()
        for _ in range(operations):
            await ref.ask(request)
        return process_time() - began


async def two_futures(operations: int) -> float:
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[asyncio.Future[int]] = loop.create_future()

    async def answer() -> None:
        nonlocal asked
        for _ in range(operations):
            reply = await asked
            asked = loop.create_future()
            reply.set_result(1)

    answering = asyncio.create_task(answer())
    await asyncio.sleep(0)
    began = process_time()
    for _ in range(operations):
        reply: asyncio.Future[int] = loop.create_future()
        asked.set_result(reply)
        await reply
    elapsed = process_time() - began
    await answering
    return elapsed


async def spawn_and_stop(operations: int) -> float:
    async with System() as system:
        began = process_time()
        for _ in range(operations):
            await system.stop(await system.spawn(Idle, "idle"))
        return process_time() - began


async def two_tasks(operations: int) -> float:
    async def wait(started: asyncio.Event) -> None:
        started.set()
        await asyncio.Event().wait()

    began = process_time()
    for _ in range(operations):
        started = asyncio.Event()
        task = asyncio.create_task(wait(started))
        await started.wait()
        task.cancel()
        await asyncio.wait([task])
    return process_time() - began


async def _spawn_idle(system: System, count: int) -> None:
    for number in range(count):
        await system.spawn(Idle, str(number))


async def tree_of_supervisors(count: int) -> float:
    """Start a supervisor of ``count`` supervisors; give the seconds an inner one took."""
    inner = [child(f"s{n}", lambda: Supervisor([child("idle", Idle)])) for n in range(count)]
    async with System() as system:
        began = process_time()
        await system.spawn(lambda: Supervisor(inner), "root")
        return process_time() - began


class Boom(Message, frozen=True):
    pass


class Fragile(Actor):
    @handles(Boom)
    def boom(self, _message: Boom) -> None:
        raise RuntimeError("boom")


async def restarts(count: int) -> float:
    """Have a child fail ``count`` times; give the seconds from each failure to the restart."""
    endless = Intensity(max_restarts=count)
    tree = supervisor("root", child("fragile", Fragile), backoff=NO_WAIT, intensity=endless)
    async with System() as system:
        restarted = asyncio.Event()
        system.events.subscribe(lambda _event: restarted.set(), ChildRestarted)
        await system.spawn(tree.start, "root")
        fragile = system.ref("root/fragile")
        began = process_time()
        for _ in range(count):
            restarted.clear()
            fragile.tell(Boom())
            await restarted.wait()
        return process_time() - began


async def crowd(count: int) -> float:
    """Have ``count`` actors alive at once, each of which has handled a message; give seconds."""
    async with System() as system:
        began = process_time()
        refs = [await system.spawn(Idle, str(number)) for number in range(count)]
        for ref in refs:
            ref.tell(Tick())
        await refs[-1].ask(Ping())
        elapsed = process_time() - began
        assert all(ref.statistics().handled for ref in refs)
        return elapsed


class Memory(msgspec.Struct, frozen=True):
    """Tell what an idle actor takes: traced by Python, and of the process's resident memory."""

    traced_bytes: float
    resident_bytes: float


async def measure_memory() -> Memory:
    """Measure in a process of its own, where nothing else was freed before."""
    async with System() as system:
        await _spawn_idle(system, 100)
        gc.collect()
        before = _resident()
        began = len(system.tree())
        for number in range(20_000):
            await system.spawn(Idle, f"resident-{number}")
        gc.collect()
        resident = (_resident() - before) / (len(system.tree()) - began)
    async with System() as system:
        await _spawn_idle(system, 100)
        gc.collect()
        tracemalloc.start()
        for number in range(10_000):
            await system.spawn(Idle, f"traced-{number}")
        gc.collect()
        traced = tracemalloc.get_traced_memory()[0] / 10_000
        tracemalloc.stop()
    return Memory(traced, resident)


def _resident() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


class Results(msgspec.Struct, frozen=True):
    """Hold all that was measured, and where."""

    python: str
    machine: str
    cpus: int | None
    paired: tuple[Paired, ...]
    memory: Memory
    supervisor_start_us: float
    restart_us: float
    crowd: int
    crowd_seconds: float


def measure_peers(rounds: int) -> tuple[Paired, ...]:
    """Compare with other actor libraries, where the extra ``bench`` is installed."""
    try:
        from bench import actor_peers as peers
    except ImportError as error:
        print(f"no {error.name}: install failsoft[bench] to compare with other libraries")
        return ()
    pairs = (
        ("ask", ask, "Pykka", peers.pykka_ask, 3_000),
        ("ask", ask, "xoscar", peers.xoscar_ask, 3_000),
        ("spawn and stop", spawn_and_stop, "Pykka", peers.pykka_spawn_and_stop, 500),
        ("spawn and stop", spawn_and_stop, "xoscar", peers.xoscar_spawn_and_stop, 500),
    )
    return tuple(
        compare(name, ours, peer_name, peer, operations=operations, rounds=rounds, at_least=10.0)
        for name, ours, peer_name, peer, operations in pairs
    )


def measure(rounds: int) -> Results:
    paired = (
        compare(
            *("tell", tell, "asyncio.Queue", queue),
            operations=64_000,
            rounds=rounds,
            at_least=1.0,
        ),
        compare(
            *("ask", ask, "two futures", two_futures),
            operations=20_000,
            rounds=rounds,
            at_least=0.6,
        ),
        compare(
            *("spawn and stop", spawn_and_stop, "a bare task", two_tasks),
            operations=3_000,
            rounds=rounds,
        ),
        *measure_peers(rounds),
    )
    in_a_process = [sys.executable, "-m", "bench.runtime", "--memory"]
    said = subprocess.run(in_a_process, check=True, stdout=subprocess.PIPE).stdout
    memory = msgspec.json.decode(said, type=Memory)
    supervisors = 1000
    seconds = asyncio.run(tree_of_supervisors(supervisors))
    return Results(
        python=platform.python_version(),
        machine=platform.machine(),
        cpus=os.cpu_count(),
        paired=paired,
        memory=memory,
        supervisor_start_us=seconds / supervisors * 1e6,
        restart_us=asyncio.run(restarts(RESTARTS)) / RESTARTS * 1e6,
        crowd=CROWD,
        crowd_seconds=asyncio.run(crowd(CROWD)),
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.runtime", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="rounds to take the median of")
    parser.add_argument("--memory", action="store_true", help="only measure memory; prints JSON")
    options = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if options.memory:
        sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(measure_memory())))
        return
    results = measure(options.rounds)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    for pair in results.paired:
        print(pair)
    memory = results.memory
    print(
        f"{'idle actor':<22} {memory.traced_bytes / 1024:.2f} KiB traced, "
        f"{memory.resident_bytes / 1024:.2f} KiB resident, at most 3 KiB"
    )
    print(f"{'a supervisor starts':<22} {results.supervisor_start_us:.0f} µs, at most 500 µs")
    print(f"{'a child is restarted':<22} {results.restart_us:.0f} µs from its failure on, unlogged")
    print(f"{'actors at once':<22} {results.crowd:,} in {results.crowd_seconds:.1f} s")
    print(f"written to {OUTPUT}")


if __name__ == "__main__":
    main()
