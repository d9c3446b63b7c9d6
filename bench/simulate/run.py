"""One run: a scenario under a variant, from the start of the fleet to its last answer."""

from __future__ import annotations

import gc
from time import process_time

from bench.simulate.figures import Figures, figures_of
from bench.simulate.fleet import Fleet
from bench.simulate.scenarios import SCENARIOS, TROUBLE
from bench.simulate.variants import VARIANTS


def simulate(scenario: str, variant: str, families: int, seed: int) -> Figures:
    """Run it; the same arguments give the same figures, but for the time it took.

    Raise AssertionError where an ask has no outcome in the end, or two.
    """
    began = process_time()
    script = SCENARIOS[scenario]
    fleet = Fleet(families, VARIANTS[variant], script.lasts, seed)
    script.prepare(fleet)
    could = [0.0, 0.0]
    ready_at: list[float] = []

    def look(which: int) -> None:
        could[which] = fleet.capacity_left(fleet.rate)

    def watch(second: float) -> None:
        if not ready_at and all(model.is_ready for model in fleet.models):
            ready_at.append(second - script.over_at)

    fleet.timeline.at(TROUBLE + 0.001, look, 0)
    fleet.timeline.at(script.over_at + 0.001, look, 1)
    for second in range(int(script.over_at), script.lasts):
        fleet.timeline.at(second + 0.002, watch, second)
    usual = gc.get_threshold()
    # What is made here lives for seconds of virtual time: many collections, none of which frees it.
    gc.set_threshold(200_000, 10, 10)
    try:
        fleet.run()
    finally:
        gc.set_threshold(*usual)
    if fleet.ledger.open:
        raise AssertionError(f"{fleet.ledger.open} asks of {scenario}, {variant} have no outcome")
    all_ready = ready_at[0] if ready_at else None
    spent = process_time() - began
    return figures_of(scenario, script, variant, fleet, (could[0], could[1]), all_ready, spent)
