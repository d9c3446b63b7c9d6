"""One tree, in a process of its own: ``python -m bench.scale.alone thread 100 5``."""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from time import perf_counter, process_time, thread_time
from typing import Any, Final, cast

import msgspec
import structlog

from bench.scale.measured import Measured
from bench.scale.tree import FLEET, Kind, fleet, names_of, telemetry
from failsoft.actors import System
from failsoft.gpu.memory.process_memory import rss_bytes
from failsoft.messages.events import DeviceMemoryReported, WorkerReady
from failsoft.service.http import failsoft_app
from failsoft.service.http.sampler import Sampler
from failsoft.telemetry import Scrape

_READY_WITHIN: Final = 300.0
# What was put off until all were ready is done by then.
_TO_SETTLE: Final = 1.0
_TIMES: Final = 3
_SELF: Final = Path("/proc/self")
_encode = msgspec.json.Encoder(enc_hook=str).encode


def in_a_process(kind: Kind, count: int, seconds: float) -> Measured:
    """Measure where no other tree was before."""
    measuring = [sys.executable, "-m", "bench.scale.alone", kind, str(count), str(seconds)]
    said = subprocess.run(measuring, check=True, stdout=subprocess.PIPE).stdout
    return msgspec.json.decode(said, type=Measured)


async def measure(kind: Kind, count: int, seconds: float) -> Measured:
    """Start a tree of so many workers, leave it at rest for so long, look at it, and stop it."""
    async with System() as system:
        await system.spawn(telemetry().start, "telemetry")
        gc.collect()
        before = _held()
        began = perf_counter()
        await _start(system, kind, count)
        ready = perf_counter() - began
        gc.collect()
        memory, threads, descriptors = (
            now - then for now, then in zip(_held(), before, strict=True)
        )
        await asyncio.sleep(_TO_SETTLE)
        loop, process, frames, events = await _at_rest(system, seconds)
        scrape, scraped = await _timed(lambda: system.ref("telemetry/metrics").ask(Scrape()))
        tree, nodes = await _timed(lambda: _now(system.tree))
        tree_json, encoded = await _timed(lambda: _now(lambda: _encode(nodes)))
        app = failsoft_app(system, routes={name: f"{FLEET}/{name}" for name in names_of(count)})
        picture, shown = await _timed(lambda: Sampler(app.gateway).take())
        began = perf_counter()
    return Measured(
        kind=kind,
        workers=count,
        ready=ready,
        stopped=perf_counter() - began,
        memory=memory,
        threads=threads,
        descriptors=descriptors,
        loop=loop,
        process=process,
        frames=frames,
        events=events,
        scrape=scrape,
        scrape_lines=sum(not line.startswith(b"#") for line in scraped.splitlines()),
        scrape_bytes=len(scraped),
        tree=tree,
        tree_json=tree_json,
        tree_bytes=len(encoded),
        picture=picture,
        picture_bytes=len(shown.body),
    )


async def _start(system: System, kind: Kind, count: int) -> None:
    left = 0 if kind == "plain" else count
    all_ready = asyncio.Event()

    def is_ready(_event: WorkerReady) -> None:
        nonlocal left
        left -= 1
        if not left:
            all_ready.set()

    listening = system.events.subscribe(is_ready, WorkerReady)
    spec = fleet(kind, count)
    await system.spawn(spec.start, spec.id)
    if left:
        async with asyncio.timeout(_READY_WITHIN):
            await all_ready.wait()
    listening.cancel()


async def _at_rest(system: System, seconds: float) -> tuple[float, float, float, float]:
    """Give the loop's share of a core, that of all threads, and frames and events a second."""
    beats = 0

    def beat(_event: DeviceMemoryReported) -> None:
        nonlocal beats
        beats += 1

    listening = system.events.subscribe(beat, DeviceMemoryReported)
    published = system.events.published
    began = _clocks()
    await asyncio.sleep(seconds)
    took, process, loop = (now - then for now, then in zip(_clocks(), began, strict=True))
    listening.cancel()
    published = system.events.published - published
    return loop / took, process / took, beats / took, published / took


async def _timed(do: Callable[[], Awaitable[Any]]) -> tuple[float, Any]:
    """Give the processor time of the event loop's thread, and what was made."""
    times = []
    for _ in range(_TIMES):
        began = thread_time()
        made = await do()
        times.append(thread_time() - began)
    return median(times), made


async def _now(make: Callable[[], Any]) -> Any:
    return make()


def _clocks() -> tuple[float, float, float]:
    """Give the time, and the processor time of this process and of the event loop's thread."""
    return perf_counter(), process_time(), thread_time()


def _held() -> tuple[int, int, int]:
    """Give the memory, the threads and the descriptors of this process."""
    threads, descriptors = (sum(1 for _ in (_SELF / name).iterdir()) for name in ("task", "fd"))
    return rss_bytes(), threads, descriptors


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    kind, count, seconds = sys.argv[1:]
    done = asyncio.run(measure(cast(Kind, kind), int(count), float(seconds)))
    sys.stdout.buffer.write(msgspec.json.encode(done))
