"""What a run of chaos has shown, and whether that is as it must be."""

from __future__ import annotations

import msgspec

# Descriptors belong to living processes, of which there are as many at the end as before.
MOST_DESCRIPTORS = 0
# The allocator's own to and fro. A leak of a kilobyte a request is many times that.
MOST_RSS_BYTES = 16 * 1024 * 1024


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Hold the figures of a run. Growth is from the end of the warm-up to the end of the run.

    refused: by error kind. deaths: workers that ended unasked. hung: those that were found to be.
    left: what the closed system has left behind: tasks, descriptors, processes, errors.
    """

    seed: int
    seconds: float
    kills_asked: int
    kills: int
    kills_by_moment: dict[str, int]
    kills_by_signal: dict[str, int]
    out_of_memory: int
    deaths: int
    hung: int
    requests: int
    answered: int
    refused: dict[str, int]
    cancelled: int
    lost: int
    twice: int
    wrong: int
    silent: int
    both: int
    orphans: int
    not_ready: tuple[str, ...]
    descriptor_growth: int
    rss_growth_bytes: int
    left: tuple[str, ...]
    complaints: tuple[str, ...]

    def faults(self) -> list[str]:
        """Give what is not as it must be, in words; nothing where all is well."""
        counts = {
            "lost": self.lost,
            "answered twice": self.twice,
            "answered with something else": self.wrong,
            "streams that just stopped": self.silent,
            "streams with a whole text and an error": self.both,
            "processes without a parent": self.orphans,
            "models that did not come back": len(self.not_ready),
            "things left behind by the closed system": len(self.left),
            "requests without an end": self.requests - self._ended,
            "kills too few in the time": max(0, self.kills_asked - self.kills),
        }
        found = [f"{count} {what}" for what, count in counts.items() if count]
        if self.descriptor_growth > MOST_DESCRIPTORS:
            found.append(f"{self.descriptor_growth} descriptors more than before")
        if self.rss_growth_bytes > MOST_RSS_BYTES:
            found.append(f"{self.rss_growth_bytes / 2**20:.1f} MiB more memory than before")
        return found

    @property
    def _ended(self) -> int:
        bad = self.lost + self.wrong + self.silent + self.both
        return self.answered + sum(self.refused.values()) + self.cancelled + bad

    def lines(self) -> list[str]:
        """Give the figures as lines to print."""
        listed = {
            "requests": f"{self.requests}: {self.answered} answered, {self.cancelled} called off, "
            f"{_list(self.refused)}",
            "lost, twice, wrong": f"{self.lost}, {self.twice}, {self.wrong}",
            "kills": f"{self.kills}: {_list(self.kills_by_moment)}",
            "by signal": f"{_list(self.kills_by_signal)}; {self.out_of_memory} times out of memory",
            "workers": f"{self.deaths} lost, {self.hung} of them hung; {self.orphans} orphans",
            "growth": f"{self.descriptor_growth} descriptors, "
            f"{self.rss_growth_bytes / 2**20:.1f} MiB",
            "time": f"{self.seconds:.0f} s, seed {self.seed}",
        }
        found = [f"{name:<20} {said}" for name, said in listed.items()]
        return [*found, *(f"  {said}" for said in (*self.complaints, *self.not_ready, *self.left))]


def _list(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"
