"""Scenarios: what several services ask of the pool they share, and what befalls it."""

from __future__ import annotations

from typing import Final

import msgspec

# Until then all is well, and limits have had time to settle.
TROUBLE: Final = 140.0
COUNTS: Final = (1, 4, 16)

_NOISE: Final = 1.5
_EACH: Final = ("listed", "least loaded", "least bounded", "limit", "bounded")


class Scenario(msgspec.Struct, frozen=True):
    """Say who asks for how much, as shares of the pool's capacity. Times are in seconds.

    load: of all services together; during the trouble, ``surge``. is_noisy: it is one service that
    asks for more then, half as much again as the pool has. is_unequal: the second service asks for
    half of what the first one does, the third for a third of it, and so on.
    fails: a worker fails all that it gets during the trouble.
    setups, counts: what is run, with how many services.
    """

    title: str
    load: float
    surge: float
    trouble: float
    setups: tuple[str, ...]
    after: float = 140.0
    counts: tuple[int, ...] = COUNTS
    is_noisy: bool = False
    is_unequal: bool = False
    fails: bool = False

    @property
    def over_at(self) -> float:
        return TROUBLE + self.trouble

    @property
    def lasts(self) -> int:
        return int(self.over_at + self.after)

    def loads(self, services: int, *, in_trouble: bool) -> list[float]:
        """Give what each service asks for."""
        together = self.surge if in_trouble and not self.is_noisy else self.load
        weights = [1 / (n + 1) if self.is_unequal else 1.0 for n in range(services)]
        loads = [together * weight / sum(weights) for weight in weights]
        if in_trouble and self.is_noisy:
            loads[0] = _NOISE
        return loads


SCENARIOS: Final[dict[str, Scenario]] = {
    "surge": Scenario(
        "Three times the capacity asked for, for two minutes",
        *(0.75, 3.0, 120.0),
        setups=("defaults", *_EACH),
    ),
    "lasting": Scenario(
        "Twice the capacity asked for, for half an hour",
        *(0.75, 2.0, 1800.0),
        setups=("limit", "bounded", "endless", "endless bounded"),
    ),
    "noisy": Scenario(
        "One service asks for half as much again as there is, for two minutes",
        *(0.6, 0.6, 120.0),
        setups=("least loaded", "least bounded", "limit", "bounded"),
        counts=(4, 16),
        is_noisy=True,
    ),
    "unequal": Scenario(
        "Services of very different sizes, twice the capacity asked for",
        *(0.75, 2.0, 240.0),
        setups=("least loaded", "least bounded", "limit", "bounded"),
        counts=(4, 16),
        is_unequal=True,
    ),
    "failing": Scenario(
        "One worker fails all that it gets, for a minute",
        *(0.6, 0.6, 60.0),
        setups=("listed", "least loaded"),
        fails=True,
    ),
}
