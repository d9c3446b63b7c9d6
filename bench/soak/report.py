"""What a soak has shown, and whether that is as it must be."""

from __future__ import annotations

from typing import Any

import msgspec

from bench.soak.ends import BAD
from bench.soak.faults import Fault
from bench.soak.growth import WORDS, Growth, slope_in_words
from bench.soak.ledger import Ends, totals
from bench.soak.sample import Sample

_SHOWN = 20


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Hold the figures of a run.

    rate: callers a second outside of bursts. ends: of each way, how often which.
    bad: requests whose end was none, and those that ended otherwise by the service's log.
    not_ready: what didn't come back after a round. still_in_hand: requests when nobody asked.
    status: the service's, once it was told to end. left: files. said: lines of its log.
    errors: those of them that no fault explains; shown: the first of these.
    """

    seed: int
    seconds: float
    rate: float
    rounds: int
    asked: int
    bursts: int
    ends: Ends
    bad: tuple[str, ...]
    faults: tuple[Fault, ...]
    signals: dict[str, int]
    alerts: int
    not_ready: tuple[str, ...]
    still_in_hand: tuple[str, ...]
    status: int | None
    orphans: tuple[str, ...]
    left: tuple[str, ...]
    growths: tuple[Growth, ...]
    samples: tuple[Sample, ...]
    said: dict[str, int]
    errors: int
    shown: tuple[dict[str, Any], ...]

    def wrongs(self) -> list[str]:
        """Give what is not as it must be, in words; nothing where all is well."""
        ends = totals(self.ends)
        unlike = sum("by the log" in each for each in self.bad)
        counts = {
            **{f"requests {end}": ends.get(end, 0) for end in BAD},
            "requests that ended otherwise by the log": unlike,
            "requests without an end": self.asked - sum(ends.values()),
            "models or workers that did not come back": len(self.not_ready),
            "times that requests were in hand though nobody asked": len(self.still_in_hand),
            "processes outside of the service's family": len(self.orphans),
            "files left behind": len(self.left),
            "errors in the log that no fault explains": self.errors,
        }
        found = [f"{count} {what}" for what, count in counts.items() if count]
        if self.status != 0:
            found.append(f"exit status {self.status}")
        return found + [str(each) for each in self.growths if each.is_too_much]

    def lines(self) -> list[str]:
        """Give the figures as lines to print."""
        ends = totals(self.ends)
        listed = {
            "time": f"{self.seconds:.0f} s, {self.rounds} rounds, seed {self.seed}",
            "requests": f"{self.asked}, {self.bursts} bursts",
            "ends": _list(ends),
            "faults": f"{len(self.faults)}: {_list(self.by_moment())}",
            "signals": _list(self.signals),
            "alerts": str(self.alerts),
            "end": f"exit status {self.status}, {len(self.orphans)} orphans, "
            f"{len(self.left)} files left",
        }
        found = [f"{name:<10} {said}" for name, said in listed.items()]
        for each in self.growths:
            slope = "too short a run" if each.line is None else slope_in_words(each.line)
            bound = "" if each.bound is None else f", bound {each.bound:g}"
            found.append(
                f"{WORDS[each.name]:<36} {each.first:>8.2f} → {each.last:.2f}; {slope}{bound}"
            )
        shown = (*self.bad, *self.not_ready, *self.still_in_hand, *self.orphans, *self.left)
        shown += tuple(str(line) for line in self.shown)
        return [*found, *(f"  {said}" for said in shown[:_SHOWN])]

    def by_moment(self) -> dict[str, int]:
        """Give how many faults there were in which moment."""
        found: dict[str, int] = {}
        for fault in self.faults:
            moment = fault.what.partition(",")[0]
            found[moment] = found.get(moment, 0) + 1
        return found


def _list(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"
