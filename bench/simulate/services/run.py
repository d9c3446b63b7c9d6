"""The runs of several services, and one of them from start to end."""

from __future__ import annotations

import gc

from bench.simulate.services.figures import SharedFigures, figures_of
from bench.simulate.services.scenarios import SCENARIOS
from bench.simulate.services.setups import SETUPS
from bench.simulate.services.sharing import Sharing

WORKERS = 16
QUICK_WORKERS = 4

# A scenario, a setup, and how many services.
Run = tuple[str, str, int]


def plan() -> list[Run]:
    """Give all runs, scenario by scenario."""
    return [
        (name, setup, services)
        for name, scenario in SCENARIOS.items()
        for setup in scenario.setups
        for services in scenario.counts
    ]


def simulate(run: Run, workers: int, seed: int) -> SharedFigures:
    """Run it; the same arguments give the same figures.

    Raise AssertionError where an ask has no outcome in the end, or two.
    """
    scenario, setup, services = run
    gc.collect()  # what was run before refers to itself
    sharing = Sharing(SETUPS[setup], SCENARIOS[scenario], services, workers, seed)
    sharing.run()
    return figures_of(scenario, setup, sharing)
