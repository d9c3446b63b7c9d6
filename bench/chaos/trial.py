"""Put one server through it: a phase after the other, with a hand where it doesn't come back."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Sequence

import msgspec

from bench.chaos.asking import ask
from bench.chaos.family import Family, end, living, send
from bench.chaos.ledger import Count, End, recovered_after
from bench.chaos.phase import LONG_TOKENS, Fault, Phase, Question, questions
from bench.servers.asked import BATCH, TIMEOUT
from bench.servers.known import SERVERS
from bench.servers.model import Steady
from bench.servers.running import Running, running

WORKERS = 2
# How many prompts a worker computes at once, where it batches.
PER_WORKER = 4
# Seconds after which the servers give a request up: a little sooner than its caller does.
LIMIT = 9.0
# Seconds in which a server's processes must be gone when its first one is killed.
GONE_WITHIN = 3.0
_SIGNALS = {Fault.KILL: signal.SIGKILL, Fault.HANG: signal.SIGSTOP}


class Endured(msgspec.Struct, frozen=True, kw_only=True):
    """Tell what a phase did to a server.

    recovered: after how many seconds all was well again; None: not in the time that it had, and
    the benchmark had to start it anew. loads: how many times the model was loaded again.
    """

    phase: Phase
    ends: list[End]
    recovered: float | None
    loads: int

    @property
    def count(self) -> Count:
        return Count.of(self.ends)


class Trial(msgspec.Struct, frozen=True):
    """Tell what became of a server in all phases.

    idle_before, idle_after: the share of a processor that it uses when nobody asks, before all
    faults and after them. orphans: processes left when its first one had been killed.
    """

    server: str
    phases: list[Endured]
    idle_before: float
    idle_after: float
    orphans: list[str]


def trial(name: str, phases: Sequence[Phase], at_once: int, seed: int) -> Trial:
    """Run a server through ``phases`` and end it; ``at_once``: how many prompts it computes so."""
    capacity = at_once / (LONG_TOKENS * Steady.step_seconds)
    environment = {**SERVERS[name].environment, BATCH: str(PER_WORKER), TIMEOUT: f"{LIMIT:g}"}
    left, endured, idle = list(phases), list[Endured](), list[float]()
    while True:
        with running(name, "steady", WORKERS, **environment) as server:
            family = Family(server)
            try:
                idle = idle or [_idle(server)]
                while left:
                    phase = left.pop(0)
                    asked = questions(phase, seed, capacity)
                    endured.append(asyncio.run(_endure(server, family, phase, asked)))
                    if endured[-1].recovered is None:
                        break
                else:
                    idle.append(_idle(server))
                    orphans = _orphans(server, family)
                    return Trial(name, endured, idle[0], idle[-1], orphans)
            finally:
                end(family.members())


async def _endure(
    server: Running, family: Family, phase: Phase, asked: Sequence[Question]
) -> Endured:
    loads = family.loads()
    family.members()  # takes note of those that are there before the fault
    now = asyncio.get_running_loop().time
    began = now()
    async with asyncio.TaskGroup() as group:
        group.create_task(_strike(family, phase))
        tasks = []
        for question in asked:
            await asyncio.sleep(began + question.at - now())
            tasks.append(group.create_task(ask(server.port, question, began)))
        await asyncio.sleep(began + phase.calm + phase.after - now())
    ends = [task.result() for task in tasks]
    return Endured(
        phase=phase,
        ends=ends,
        recovered=recovered_after(ends, phase.since),
        loads=family.loads() - loads,
    )


async def _strike(family: Family, phase: Phase) -> None:
    if phase.fault is Fault.NONE:
        return
    now = asyncio.get_running_loop().time
    began = now()
    for after in phase.fault_at:
        await asyncio.sleep(began + phase.calm + after - now())
        for process in family.at_work()[:1]:
            send(process, _SIGNALS[phase.fault])


def _idle(server: Running) -> float:
    """Give the share of a processor that is used in a second in which nobody asks."""
    spent, began = server.processor(), time.perf_counter()
    time.sleep(1.0)
    return (server.processor() - spent) / (time.perf_counter() - began)


def _orphans(server: Running, family: Family) -> list[str]:
    """Kill the first process; give what lives on of the others, and end it."""
    known = family.members()
    first = next(each for each in known if each.pid == server.pid)
    others = [each for each in known if each is not first]
    send(first, signal.SIGKILL)
    until = time.monotonic() + GONE_WITHIN
    while living(others) and time.monotonic() < until:
        time.sleep(0.05)
    left = living(others)
    names = [each.name() for each in left]
    end(left)
    return names
