"""The ledger: what became of each ask, second by second."""

from __future__ import annotations

from collections import Counter

from bench.simulate.ask import Ask


class Ledger:
    """Count asks, sends and answers. Poison is counted apart: nobody is served by an answer to it.

    Lists hold one entry a second. arrived: asks. served: those of them that were answered in the
    end, by when they arrived. done: answers, by when they were given. sends: to models. tried:
    asks that were sent at least once, by their first send. waiting: as the fleet was looked at.
    latencies: second of arrival, and seconds until the answer.
    """

    def __init__(self, seconds: int) -> None:
        self.arrived = [0] * seconds
        self.served = [0] * seconds
        self.done = [0] * seconds
        self.sends = [0] * seconds
        self.tried = [0] * seconds
        self.waiting = [0] * seconds
        self.latencies: list[tuple[int, float]] = []
        self.outcomes: Counter[str] = Counter()
        self.poison_outcomes: Counter[str] = Counter()
        self.asked = 0
        self.open = 0

    def came(self, ask: Ask) -> None:
        """Take note of a new ask."""
        self.asked += 1
        self.open += 1
        if not ask.is_poison:
            self.arrived[int(ask.arrived_at)] += 1

    def sent(self, ask: Ask, now: float) -> None:
        """Take note that a model gets it. Call it before the model has it."""
        second = self._second(now)
        self.sends[second] += 1
        self.tried[second] += ask.sends == 0

    def over(self, ask: Ask, outcome: str, now: float) -> None:
        """Take note of how it ended. Raise AssertionError where it has ended before."""
        if ask.outcome:
            raise AssertionError(f"{ask!r} ends twice: now {outcome}")
        ask.outcome = outcome
        self.open -= 1
        if ask.is_poison:
            self.poison_outcomes[outcome] += 1
            return
        self.outcomes[outcome] += 1
        if outcome == "ok" and now <= ask.deadline:
            second = int(ask.arrived_at)
            self.served[second] += 1
            self.done[self._second(now)] += 1
            self.latencies.append((second, now - ask.arrived_at))

    def _second(self, now: float) -> int:
        return min(int(now), len(self.done) - 1)

    def __repr__(self) -> str:
        return f"<Ledger {self.asked} asked, {self.open} open, {dict(self.outcomes)}>"
