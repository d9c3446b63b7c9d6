"""What happens to a server, and what is asked of it meanwhile: known before it begins."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from random import Random

import msgspec

from bench.servers.model import NO_MEMORY, POISON

# Of the usual load. A model that does one prompt at a time is busy for 60 % of the time with it.
RATE = 15.0
TOKENS = 4
# Of what comes while more is asked than the server can do; and what it is asked beside a kill.
LONG_TOKENS = 25
OVERLOAD = 5
NEIGHBOURS = 3


class Fault(Enum):
    """Name what is done to a process."""

    NONE = "none"
    KILL = "SIGKILL"
    HANG = "SIGSTOP"


class Question(msgspec.Struct, frozen=True):
    """Be one request, ``at`` seconds after the phase's beginning.

    is_guilty: it is what does the harm, and can't be answered.
    """

    at: float
    prompt: str
    max_tokens: int = TOKENS
    is_guilty: bool = False


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """Tell what happens. Times are in seconds.

    calm: before any trouble. after: from then on to the end, for which the usual load goes on.
    fault_at: when, after the calm, ``fault`` befalls a process with the model. burst: so many long
    questions come at once, 0.1 s before the end of the calm, so that every worker is busy. guilty:
    what the harmful prompts have in them; guilty_at: when they come after the calm, each with some
    neighbours. flood: for how long more is asked than the server can do.
    """

    name: str
    title: str
    calm: float = 1.0
    after: float
    fault: Fault = Fault.NONE
    fault_at: tuple[float, ...] = (0.0,)
    burst: int = 0
    guilty: str = ""
    guilty_at: tuple[float, ...] = ()
    flood: float = 0.0

    @property
    def since(self) -> float:
        """Give when the last of it is done to the server."""
        return self.calm + max(self.flood, *self.guilty_at, *self.fault_at)


PHASES = (
    Phase(name="kill", title="SIGKILL of a process with the model, at the usual load",
          after=5.0, fault=Fault.KILL),
    Phase(name="kill_busy", title="SIGKILL of a process with the model, with all workers busy",
          after=5.0, fault=Fault.KILL, burst=8),
    Phase(name="memory", title="Out of memory: a prompt, sent three times, raises MemoryError",
          after=3.0, guilty=NO_MEMORY, guilty_at=(0.0, 0.7, 1.4)),
    Phase(name="poison", title="Poison: a prompt, sent five times, kills who computes it",
          after=8.0, guilty=POISON, guilty_at=(0.0, 0.7, 1.4, 2.1, 2.8)),
    Phase(name="hang",
          title="A hang: SIGSTOP of a process with the model, and 8 s later of another",
          after=16.0, fault=Fault.HANG, fault_at=(0.0, 8.0)),
    Phase(name="overload", title=f"Overload: for 4 s, {OVERLOAD} times what the server can do",
          after=15.0, flood=4.0),
)  # fmt: skip
QUICK = (
    Phase(name="kill_busy", title=PHASES[1].title, after=3.0, fault=Fault.KILL, burst=8),
    Phase(name="poison", title="Poison: a prompt, sent three times, kills who computes it",
          after=4.0, guilty=POISON, guilty_at=(0.0, 0.5, 1.0)),
    Phase(name="overload", title=f"Overload: for 1 s, {OVERLOAD} times what the server can do",
          after=8.0, flood=1.0),
)  # fmt: skip


def questions(phase: Phase, seed: int, capacity: float) -> list[Question]:
    """Give what is asked, in order; ``capacity``: how many long ones the server does a second."""
    random = Random(f"{seed}/{phase.name}")
    asked = [
        *_usual(phase, random),
        *_burst(phase, random),
        *_guilty(phase, random),
        *_flood(phase, random, capacity),
    ]
    return sorted(asked, key=lambda question: question.at)


def arrivals(random: Random, rate: float, begin: float, end: float) -> Iterator[float]:
    """Give moments of a Poisson process: so many a second, whatever became of those before."""
    at = begin + random.expovariate(rate)
    while at < end:
        yield at
        at += random.expovariate(rate)


def _usual(phase: Phase, random: Random) -> Iterator[Question]:
    for at in arrivals(random, RATE, 0.0, phase.calm + phase.after):
        if not phase.calm <= at < phase.calm + phase.flood:
            yield Question(at, _prompt(phase, random))


def _burst(phase: Phase, random: Random) -> Iterator[Question]:
    for _ in range(phase.burst):
        yield Question(phase.calm - 0.1, _prompt(phase, random), LONG_TOKENS)


def _guilty(phase: Phase, random: Random) -> Iterator[Question]:
    for after in phase.guilty_at:
        at = phase.calm + after
        for _ in range(NEIGHBOURS):
            yield Question(at, _prompt(phase, random))
        # Always the same: a caller who doesn't get an answer asks again.
        yield Question(at, f"{phase.name} {phase.guilty}", is_guilty=True)


def _flood(phase: Phase, random: Random, capacity: float) -> Iterator[Question]:
    begin, end = phase.calm, phase.calm + phase.flood
    for at in arrivals(random, OVERLOAD * capacity, begin, end) if phase.flood else ():
        yield Question(at, _prompt(phase, random), LONG_TOKENS)


def _prompt(phase: Phase, random: Random) -> str:
    return f"{phase.name} {random.getrandbits(64):016x}"
