"""The command: run all scenarios, side by side, and write down what came of them."""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from time import perf_counter

import msgspec

from bench.simulate import charts
from bench.simulate.figures import Figures
from bench.simulate.fleet import CANDIDATES
from bench.simulate.run import simulate
from bench.simulate.scenarios import SCENARIOS
from bench.simulate.table import table_of, verdicts

OUTPUT = Path("build/bench")
FAMILIES = 334
QUICK_FAMILIES = 33
SEED = 1


class Report(msgspec.Struct, frozen=True):
    """Hold all that was measured.

    seconds: of real time, with so many processes. cpu_seconds: of processor time, of all of them;
    on a machine with other work it is less than the cores' seconds.
    """

    families: int
    models: int
    seed: int
    processes: int
    seconds: float
    cpu_seconds: float
    requests: int
    events: int
    requests_per_second: float
    events_per_second: float
    runs: tuple[Figures, ...]


def plan(scenarios: Iterable[str]) -> list[tuple[str, str]]:
    """Give the runs, the longest first, so that none is left over at the end."""
    runs = [(name, variant) for name in scenarios for variant in SCENARIOS[name].variants]

    def asked_for(run: tuple[str, str]) -> float:
        script = SCENARIOS[run[0]]
        return script.load * (script.lasts + (script.surge - 1) * script.trouble)

    return sorted(runs, key=asked_for, reverse=True)


def _run_one(scenario: str, variant: str, families: int, seed: int) -> Figures:
    gc.collect()  # a fleet refers to itself: the one before this would stay for a while
    return simulate(scenario, variant, families, seed)


def run_all(
    runs: Sequence[tuple[str, str]], families: int, seed: int, processes: int
) -> Iterator[Figures]:
    """Give the figures of each run as it ends."""
    if processes == 1:
        for scenario, variant in runs:
            yield _run_one(scenario, variant, families, seed)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        tasks = [pool.submit(_run_one, *run, families, seed) for run in runs]
        for task in as_completed(tasks):
            yield task.result()


def measure(scenarios: Sequence[str], families: int, seed: int, processes: int) -> Report:
    """Run the scenarios under each of their variants, and say how each ended as it does."""
    began = perf_counter()
    done: dict[tuple[str, str], Figures] = {}
    runs = plan(scenarios)
    for figures in run_all(runs, families, seed, processes):
        done[figures.scenario, figures.variant] = figures
        print(
            f"[{len(done)}/{len(runs)}] {figures.scenario}, {figures.variant}: "
            f"{figures.requests} requests in {figures.cpu_seconds:.1f} s"
        )
    seconds = perf_counter() - began
    ordered = tuple(done[name, each] for name in scenarios for each in SCENARIOS[name].variants)
    requests = sum(figures.requests for figures in ordered)
    events = sum(figures.events for figures in ordered)
    return Report(
        families=families,
        models=families * CANDIDATES,
        seed=seed,
        processes=processes,
        seconds=seconds,
        cpu_seconds=sum(figures.cpu_seconds for figures in ordered),
        requests=requests,
        events=events,
        requests_per_second=requests / seconds,
        events_per_second=events / seconds,
        runs=ordered,
    )


def main(arguments: list[str] | None = None) -> None:
    """Run, print, and write the figures and their charts."""
    parser = argparse.ArgumentParser(prog="python -m bench.simulate", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="with a tenth of the fleet")
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    parser.add_argument("--families", type=int, help="routes, of three models each")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--output", type=Path, default=OUTPUT, help="the folder for what is made")
    options = parser.parse_args(arguments)
    families = options.families or (QUICK_FAMILIES if options.quick else FAMILIES)
    report = measure(options.only, families, options.seed, options.processes)
    options.output.mkdir(parents=True, exist_ok=True)
    written = options.output / "simulate.json"
    written.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    print()
    for line in (*table_of(report.runs), "", *verdicts(report.runs)):
        print(line)
    print(
        f"{report.models} models, {report.requests} requests, {report.events} events in "
        f"{report.seconds:.0f} s ({report.cpu_seconds:.0f} s of processor time): "
        f"{report.requests_per_second:.0f} requests and {report.events_per_second:.0f} events "
        f"a second, in {report.processes} processes"
    )
    print(f"written to {written}")
    for path in charts.draw(report.runs, options.output):
        print(f"drawn to {path}")
