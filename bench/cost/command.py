"""The command: measure all, and write down what came of it."""

from __future__ import annotations

import argparse

from bench import cost
from bench.cost.cold_start import Model, Started, cold_start
from bench.cost.imports import MODULES, import_ms
from bench.figures import Figure, Spread
from bench.report import Measuring, Table
from failsoft.service.smollm2 import ensure_smollm2

IMPORT_ROUNDS, QUICK_IMPORT_ROUNDS = 5, 1
START_ROUNDS, QUICK_START_ROUNDS = 3, 1


def models() -> tuple[Model, ...]:
    """Give those whose workers are looked at."""
    return (
        Model("tiny-text", "text", "failsoft:tiny-text"),
        Model("tiny-image", "image", "failsoft:tiny-image", "/generate_image", b"event: reply"),
        Model("SmolLM2-135M", "text", str(ensure_smollm2())),
    )


def of_imports(rounds: int) -> list[Figure]:
    """Give the time of each import, in turns."""
    times = [[import_ms(module) for module in MODULES] for _ in range(rounds)]
    return [
        Figure(
            name=f"import {module}",
            unit="ms of processor time",
            ours=Spread.of([each[number] for each in times]),
            less_is_better=True,
        )
        for number, module in enumerate(MODULES)
    ]


def of_start(model: Model, rounds: list[Started]) -> list[Figure]:
    """Give when it listened, and when the first token, or image, was there."""
    what = "image" if model.kind == "image" else "token"
    return [
        _seconds(f"{model.name}, start to listening", [each.listens for each in rounds]),
        _seconds(f"{model.name}, start to the first {what}", [each.first for each in rounds]),
    ]


def _seconds(name: str, values: list[float]) -> Figure:
    return Figure(name=name, unit="s", ours=Spread.of(values), less_is_better=True)


def table_of(started: dict[str, Started]) -> Table:
    """Give the memory of each process of each service, once it has answered."""
    return Table(
        title="memory by part, in MiB",
        columns=("serving", "part", "resident", "proportional"),
        rows=tuple(
            (name, memory.part, f"{memory.resident:.0f}", f"{memory.proportional:.0f}")
            for name, each in started.items()
            for memory in each.memory
        ),
        note=(
            "Resident counts what a worker shares with its template in both; proportional counts "
            "it once, by halves."
        ),
    )


def main(arguments: list[str]) -> None:
    """Run, print, and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench cost", description=cost.__doc__)
    parser.add_argument("--quick", action="store_true", help="a few rounds, for a rough look")
    options = parser.parse_args(arguments)
    found = Measuring("cost", "what it takes before it has done anything", arguments)
    found.names("torch", "transformers", "diffusers")
    found.settings["failsoft serve"] = "a tree of one model, one torch thread, telemetry as usual"
    found.figures += of_imports(QUICK_IMPORT_ROUNDS if options.quick else IMPORT_ROUNDS)
    starts = QUICK_START_ROUNDS if options.quick else START_ROUNDS
    last: dict[str, Started] = {}
    for model in models():
        rounds = [cold_start(model) for _ in range(starts)]
        found.figures += of_start(model, rounds)
        last[model.name] = rounds[-1]
    found.tables.append(table_of(last))
    found.write()
