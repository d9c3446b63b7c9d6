"""What telemetry costs: ``python -m bench telemetry``.

An event that nobody hears, a bare ask with all telemetry on and without, the way through a router
with each part of it, a request to a worker process with all of it, a log line. The model answers at
once. Telemetry runs in the same event loop: its work is in these figures, to the last event.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from time import perf_counter, process_time

import msgspec
import structlog

from bench.paired import Paired, Sample, Spread, compare
from bench.route import REQUEST, Echo
from failsoft.actors import Actor, Ref, System
from failsoft.gpu.script import Say, Script
from failsoft.gpu.scripted import scripted
from failsoft.messages.events import ChildRestarted
from failsoft.messages.log_line import encode_line
from failsoft.supervisors import candidate, child, model, router, supervisor
from failsoft.telemetry import (
    ErrorLog,
    ErrorsActor,
    HealthActor,
    Metrics,
    MetricsActor,
    Scrape,
    configure_logging,
    log_events,
)

OUTPUT = Path("build/bench/telemetry.json")
MOST_UNHEARD_NS = 100.0
LEAST_RATIO = 1 / 1.1

ACTORS: dict[str, Callable[[], Actor]] = {
    "metrics": functools.partial(MetricsActor, Metrics()),
    "errors": functools.partial(ErrorsActor, ErrorLog()),
    "health": HealthActor,
}


class Nowhere(io.StringIO):
    """Take what is written, and forget it."""

    def write(self, text: str) -> int:
        return len(text)


@functools.cache
def traced() -> Callable[[], Actor] | None:
    """Give what makes a traces actor whose spans go nowhere; None without the extra ``otel``."""
    try:
        from opentelemetry.sdk.trace import TracerProvider

        from failsoft.telemetry import Traces, TracesActor
    except ImportError:
        print("no opentelemetry: install failsoft[otel] to measure traces")
        return None
    return lambda: TracesActor(Traces(TracerProvider(shutdown_on_exit=False)))


@contextlib.asynccontextmanager
async def system_with(*names: str) -> AsyncIterator[System]:
    """Run a system with these parts of telemetry: actors, ``log``, and ``traces``."""
    async with System() as system:
        starts = {**ACTORS, "traces": traced()}
        found = ((name, starts.get(name)) for name in names)
        if children := [child(name, start) for name, start in found if start is not None]:
            await system.spawn(supervisor("telemetry", *children).start, "telemetry")
        if "log" in names:
            log_events(system.events)
        yield system
        if "metrics" in names:  # which comes after all events
            await system.ref("telemetry/metrics").ask(Scrape())


async def _asked(ref: Ref, operations: int) -> None:
    for _ in range(operations):
        await ref.ask(REQUEST)


def bare_ask(*names: str) -> Sample:
    async def sample(operations: int) -> float:
        async with system_with(*names) as system:
            ref = await system.spawn(Echo, "echo")
            began = process_time()
            await _asked(ref, operations)
            return process_time() - began

    return sample


def routed_ask(*names: str) -> Sample:
    async def sample(operations: int) -> float:
        began = 0.0
        async with system_with(*names) as system:
            spec = router("text", candidate("first", Echo), candidate("second", Echo))
            ref = await system.spawn(spec.start, "text")
            began = process_time()
            await _asked(ref, operations)
        return process_time() - began

    return sample


def worker_ask(*names: str) -> Sample:
    """Ask a model in a process of its own: what a caller waits, who shares the machine with it."""

    async def sample(operations: int) -> float:
        worker = scripted(Script(otherwise=[Say("hello")]))
        async with system_with(*names) as system:
            spec = router("text", model("first", worker))
            ref = await system.spawn(spec.start, "text")
            await _asked(ref, operations // 10)
            began = perf_counter()
            await _asked(ref, operations)
            return perf_counter() - began

    return sample


async def unheard(operations: int) -> float:
    """Publish where nobody listens; give nanoseconds for each."""
    async with System() as system:
        publish = system.events.publish
        began = process_time()
        for _ in range(operations):
            publish(ChildRestarted, "root/a", restarts=1)
        return (process_time() - began) / operations * 1e9


def line_us(rounds: int, operations: int = 2_000) -> Spread:
    """Give the microseconds that a line of a finished request takes to write."""
    fields = {
        **{"event": "RequestFinished", "level": "info", "path": "root/text", "at": 12.345},
        **{"request": "GenerateText", "outcome": "ok", "seconds": 0.12, "queue_seconds": 0.01},
        **{"first_seconds": None, "model_used": "primary", "was_fallback": False, "attempts": 1},
        **{"degradation_level": "full", "prompt_tokens": 7, "completion_tokens": 5},
        **{"correlation_id": "0f8fad5b-d9cb-469f-a165-70867728950e"},
    }
    times = []
    for _ in range(rounds):
        began = process_time()
        for _ in range(operations):
            encode_line(fields)
        times.append((process_time() - began) / operations * 1e6)
    return Spread.of(times)


class Results(msgspec.Struct, frozen=True):
    """Hold all that was measured."""

    unheard_ns: Spread
    line_us: Spread
    paired: tuple[Paired, ...]


def measure(rounds: int) -> Results:
    everything = ("metrics", "errors", "health", "log", "traces")
    parts = [(name,) for name in everything] + [everything]
    pairs = [
        compare(
            *("bare ask, all on", bare_ask(*everything), "none", bare_ask()),
            operations=10_000,
            rounds=rounds,
            at_least=LEAST_RATIO,
        ),
        *(
            compare(
                *(f"routed, {'+'.join(part)}", routed_ask(*part), "none", routed_ask()),
                operations=2_000,
                rounds=rounds,
            )
            for part in parts
        ),
        compare(
            *("a worker's, all on", worker_ask(*everything), "none", worker_ask()),
            operations=500,
            rounds=max(1, rounds // 2),
            at_least=LEAST_RATIO,
        ),
    ]
    nanoseconds = [asyncio.run(unheard(200_000)) for _ in range(rounds)]
    return Results(Spread.of(nanoseconds), line_us(rounds), tuple(pairs))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.telemetry", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds to take the median of")
    options = parser.parse_args(arguments)
    configure_logging(Nowhere())
    try:
        results = measure(options.rounds)
    finally:
        structlog.reset_defaults()
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    print(
        f"{'an event, unheard':<22} {results.unheard_ns:.0f} ns, at most {MOST_UNHEARD_NS:.0f} ns"
    )
    print(f"{'a log line':<22} {results.line_us:.1f} µs")
    for pair in results.paired:
        print(pair)
    print(f"written to {OUTPUT}")


if __name__ == "__main__":
    main()
