"""Replicas: what a pool knows of its equal children, and which of them a request goes to.

No I/O and no clock: the pool tells what happens, and carries out what follows.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

import msgspec

from failsoft.messages import InferenceTimeout
from failsoft.supervisors.pool.choosing import Affinity, Chooser, two_choices
from failsoft.supervisors.routing.breaker import Breaker
from failsoft.supervisors.routing.circuit import Change, Circuit
from failsoft.supervisors.routing.failure import Failure
from failsoft.supervisors.routing.target import CandidateInfo, shown_of

# The share of the newest in the usual time of an answer.
_NEWEST = 0.1


class Sent(msgspec.Struct, eq=False):
    """Be one send of a request to one replica.

    permit: of its circuit. job: the pool's own. down: the answer that the replica owes.
    is_in_crash: the replica crashed meanwhile, which has been counted.
    """

    replica: Replica
    permit: int
    began_at: float
    job: Any
    down: Any = None
    is_in_crash: bool = False


class Replica:
    """Hold one replica's circuit, what it has in hand, and how long it usually takes.

    is_drained: it gets no more requests until it is started again.
    is_counted: the failure that its next end is due to has been counted.
    attempts: what it has in hand; a drain waits until there is nothing.
    """

    __slots__ = (
        "_known_generation",
        "attempts",
        "circuit",
        "id",
        "is_counted",
        "is_drained",
        "is_ready",
        "usual_seconds",
    )

    def __init__(self, id: str, breaker: Breaker | None) -> None:
        self.id = id
        self.circuit = None if breaker is None else Circuit(breaker)
        self.is_ready = False
        self.is_drained = False
        self.is_counted = False
        self._known_generation = 0
        self.usual_seconds = 0.0
        self.attempts: dict[Sent, None] = {}

    @property
    def outstanding(self) -> int:
        """Give how many requests it has."""
        return len(self.attempts)

    def admits(self, now: float) -> bool:
        """Tell whether its circuit would let a request through now."""
        return self.circuit is None or self.circuit.admits(now)

    def succeeded(self, sent: Sent, now: float) -> None:
        """Take note that it answered."""
        seconds = now - sent.began_at
        self.is_counted = False
        usual = self.usual_seconds
        self.usual_seconds = usual + _NEWEST * (seconds - usual) if usual else seconds
        if self.circuit is not None:
            self.circuit.succeeded(sent.permit, seconds, now)

    def failed(self, sent: Sent, now: float, failure: Failure) -> None:
        """Take note that it didn't, and whether by its own doing. A crash counts once."""
        if isinstance(failure.error, InferenceTimeout):
            self.late(sent, now)
            return
        is_fault = failure.is_models_fault and not sent.is_in_crash
        self._count(sent, is_fault, now - sent.began_at, now)
        if failure.is_models_fault and not getattr(failure.error, "is_refusal", False):
            # By this error the actor ends as well.
            self.is_counted = True
            for other in self.attempts:
                other.is_in_crash = True

    def late(self, sent: Sent, now: float) -> None:
        """Take note that a deadline passed; it has failed where it had its usual time for it."""
        spent = now - sent.began_at
        self._count(sent, spent >= self.usual_seconds, spent, now)

    def ignored(self, sent: Sent, now: float) -> None:
        """Take note that what became of a request tells nothing of the replica."""
        self._count(sent, False, 0.0, now)

    def _count(self, sent: Sent, is_fault: bool, spent: float, now: float) -> None:
        if self.circuit is None:
            return
        if is_fault:
            self.circuit.failed(sent.permit, spent, now)
        else:
            self.circuit.ignored(sent.permit, now)

    def ended(self, *, is_failure: bool, now: float) -> None:
        """Take note that its actor ended."""
        if is_failure and not self.is_counted and self.circuit is not None:
            self.circuit.crashed(now)
        self.is_counted = False

    def news(self) -> Change | None:
        """Give the last change of its circuit, where that hasn't been told."""
        circuit = self.circuit
        if circuit is None or circuit.generation == self._known_generation:
            return None
        self._known_generation = circuit.generation
        return circuit.last_change

    def info(self, now: float) -> CandidateInfo:
        """Show it as it is now."""
        return CandidateInfo(
            id=self.id,
            is_ready=self.is_ready,
            **shown_of(self.circuit, now),
            in_flight=self.outstanding,
            waiting=0,
            limit=0,
            expected_wait=None,
            ready_in=None,
            is_drained=self.is_drained,
        )

    def __repr__(self) -> str:
        ready = "ready" if self.is_ready else "not ready"
        return f"<Replica {self.id} {ready} outstanding={self.outstanding}>"


class Replicas:
    """Know all replicas, and choose among those that take work."""

    def __init__(self, random: Random, affinity: Affinity | None, breaker: Breaker | None) -> None:
        self.targets: dict[str, Replica] = {}
        self._breaker = breaker
        self._random = random
        self._chooser = Chooser(random, affinity)
        self._ready: list[Replica] = []

    @property
    def in_hand(self) -> int:
        """Give how many requests all of them have."""
        return sum(replica.outstanding for replica in self.targets.values())

    @property
    def ready(self) -> int:
        """Give how many take work."""
        return len(self._ready)

    def add(self, id: str) -> Replica:
        """Take a replica in that isn't ready yet."""
        replica = self.targets[id] = Replica(id, self._breaker)
        return replica

    def remove(self, id: str) -> None:
        """Know it no more."""
        self.set_ready(self.targets.pop(id), False)

    def set_ready(self, replica: Replica, is_ready: bool) -> None:
        """Take note that a replica wants work, or doesn't any more."""
        if replica.is_ready == is_ready:
            return
        replica.is_ready = is_ready
        if is_ready:
            self._ready.append(replica)
        else:
            self._ready.remove(replica)

    def choose(self, request: object, without: Iterable[str], now: float) -> Replica | None:
        """Give the replica that the request is to go to; None where none takes it.

        without: those that it has been to.
        """
        if not self._ready:
            return None
        chosen = self._chooser.choose(self._ready, request, self._takes_work)
        if chosen.id not in without and chosen.admits(now):
            return chosen
        rest = [each for each in self._ready if each.id not in without and each.admits(now)]
        return two_choices(rest, self._random) if rest else None

    def send(self, replica: Replica, job: Any, now: float) -> Sent | None:
        """Take note that it gets a request; None where its circuit doesn't let that through."""
        permit: int | None = 0
        if replica.circuit is not None:
            permit = replica.circuit.admit(now)
        if permit is None:
            return None
        sent = Sent(replica, permit, now, job)
        replica.attempts[sent] = None
        return sent

    def retry_after(self, now: float) -> float:
        """Give the seconds until one may take a request again, as far as circuits tell."""
        waits = (each.circuit.retry_after(now) for each in self._ready if each.circuit is not None)
        return min(waits, default=0.0)

    def _takes_work(self, id: str) -> Replica | None:
        replica = self.targets.get(id)
        return replica if replica is not None and replica.is_ready else None
