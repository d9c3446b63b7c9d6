"""The command: run all scenarios, side by side, and write down what came of them."""

from __future__ import annotations

import argparse
import functools
import gc
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from time import perf_counter
from typing import TypeVar

import msgspec

from bench import simulate as simulator
from bench.report import OUTPUT, Measuring
from bench.simulate import charts
from bench.simulate.aims import aims_of, speed_of
from bench.simulate.figures import Figures
from bench.simulate.fleet import CANDIDATES
from bench.simulate.run import simulate
from bench.simulate.scenarios import SCENARIOS
from bench.simulate.services import charts as services_charts
from bench.simulate.services import run as services
from bench.simulate.services.figures import SharedFigures
from bench.simulate.services.table import aims_of as services_aims_of
from bench.simulate.services.table import tables_of as services_tables_of
from bench.simulate.table import tables_of

FAMILIES = 334
QUICK_FAMILIES = 20
SEED = 1
# Of what may be run, the scenarios of several services over one pool.
SERVICES = "services"
_NAMES = [*SCENARIOS, SERVICES]

_JobT = TypeVar("_JobT")
_FiguresT = TypeVar("_FiguresT")


class Details(msgspec.Struct, frozen=True):
    """Hold all that came of the runs, second by second, which the figures sum up.

    shared: the runs of several services.
    """

    families: int
    seed: int
    processes: int
    runs: tuple[Figures, ...]
    shared: tuple[SharedFigures, ...] = ()


def plan(scenarios: Iterable[str]) -> list[tuple[str, str]]:
    """Give the runs, the longest first, so that none is left over at the end."""
    runs = [(name, variant) for name in scenarios for variant in SCENARIOS[name].variants]

    def asked_for(run: tuple[str, str]) -> float:
        script = SCENARIOS[run[0]]
        return script.load * (script.lasts + (script.surge - 1) * script.trouble)

    return sorted(runs, key=asked_for, reverse=True)


def _run_one(run: tuple[str, str], families: int, seed: int) -> Figures:
    gc.collect()  # a fleet refers to itself: the one before this would stay for a while
    return simulate(*run, families, seed)


def run_all(
    call: Callable[[_JobT], _FiguresT], runs: Sequence[_JobT], processes: int
) -> Iterator[_FiguresT]:
    """Give the figures of each run as it ends."""
    if processes == 1:
        yield from map(call, runs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        tasks = [pool.submit(call, run) for run in runs]
        for task in as_completed(tasks):
            yield task.result()


def measure(
    scenarios: Sequence[str], families: int, seed: int, processes: int
) -> tuple[Figures, ...]:
    """Run the scenarios under each of their variants, and say how each ended as it does."""
    done: dict[tuple[str, str], Figures] = {}
    runs = plan(scenarios)
    call = functools.partial(_run_one, families=families, seed=seed)
    for figures in run_all(call, runs, processes):
        done[figures.scenario, figures.variant] = figures
        print(
            f"[{len(done)}/{len(runs)}] {figures.scenario}, {figures.variant}: "
            f"{figures.requests} requests in {figures.cpu_seconds:.1f} s"
        )
    return tuple(done[name, each] for name in scenarios for each in SCENARIOS[name].variants)


def measure_services(workers: int, seed: int, processes: int) -> tuple[SharedFigures, ...]:
    """Run the scenarios of several services, and say how each ended as it does."""
    done: dict[services.Run, SharedFigures] = {}
    runs = services.plan()
    call = functools.partial(services.simulate, workers=workers, seed=seed)
    for figures in run_all(call, runs, processes):
        done[figures.scenario, figures.setup, figures.services] = figures
        print(
            f"[{len(done)}/{len(runs)}] {figures.scenario}, {figures.setup}, "
            f"services: {figures.services}: {figures.requests} requests"
        )
    return tuple(done[run] for run in runs)


def main(arguments: list[str]) -> None:
    """Run, print, and write the figures and their charts."""
    parser = argparse.ArgumentParser(prog="python -m bench simulate", description=simulator.__doc__)
    parser.add_argument("--quick", action="store_true", help="with a small part of the fleet")
    parser.add_argument("--only", nargs="+", choices=_NAMES, default=_NAMES)
    parser.add_argument("--families", type=int, help="routes, of three models each")
    parser.add_argument("--workers", type=int, help="that several services share")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    options = parser.parse_args(arguments)
    families = options.families or (QUICK_FAMILIES if options.quick else FAMILIES)
    workers = options.workers or (services.QUICK_WORKERS if options.quick else services.WORKERS)
    scenarios = [name for name in options.only if name != SERVICES]
    found = Measuring("simulate", "the policies against a fleet that fails", arguments)
    began = perf_counter()
    runs = measure(scenarios, families, options.seed, options.processes)
    seconds = perf_counter() - began
    shared: tuple[SharedFigures, ...] = ()
    if SERVICES in options.only:
        shared = measure_services(workers, options.seed, options.processes)
    details = Details(families, options.seed, options.processes, runs, shared)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    written = OUTPUT / "simulate_runs.json"
    written.write_bytes(msgspec.json.format(msgspec.json.encode(details)))
    found.settings["the fleet"] = (
        f"{families * CANDIDATES} models behind {families} routes, seed {options.seed}, in "
        f"{options.processes} processes; nobody's real models: they are modelled"
    )
    if shared:
        found.settings["several services"] = f"over one pool of {workers} workers, of four slots"
    found.figures += [*aims_of(runs), *services_aims_of(shared)]
    if runs:
        found.figures += speed_of(runs, seconds)
    found.tables += [*tables_of(runs), *services_tables_of(shared)]
    found.charts += [*charts.draw(runs, OUTPUT), *services_charts.draw(shared, OUTPUT)]
    found.write()
    print(f"each run, second by second: {written}")
