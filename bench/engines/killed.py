"""From the SIGKILL of a worker to the next answer: cold, and with a spare worker."""

from __future__ import annotations

import time
from pathlib import Path

from bench.engines import texts
from bench.engines.bare_process import bare_process
from bench.engines.supervised import PATIENCE, Supervised, as_by_hand, asked, supervised
from bench.engines.took import processor_seconds
from bench.figures import Figure, against

MOST_COLD = 1.3
MOST_WARM = 1.2


async def cold(folder: Path, threads: int, rounds: int) -> list[Figure]:
    """Measure against the model's own load, in forks of a process that has imported torch.

    transformers imports more of itself as it loads, where a worker's template has that already: so
    against the load without it as well.
    """
    walls, strict, processors = [], [], []
    worker = as_by_hand(folder, threads)
    async with bare_process(folder, threads) as bare, supervised(worker) as model:
        await bare.load_anew()  # the first one has files to read that later ones find in memory
        for _ in range(rounds):
            busy = time.process_time()
            wall = await _answer_after_kill(model, 1)
            processor = model.processor() - busy  # the new worker's is all its own
            loaded = await bare.load_anew()
            walls.append((wall, loaded.wall))
            strict.append((wall, (await bare.load_anew(all_imported=True)).wall))
            processors.append((processor, loaded.processor))
    return [
        against(
            *("SIGKILL to the next answer, cold", "s by the clock"),
            walls,
            peer="the load alone",
            less_is_better=True,
            is_rival=False,
            at_most=MOST_COLD,
        ),
        against(
            *("SIGKILL to the next answer, cold", "s by the clock"),
            strict,
            peer="the load alone, all imported",
            less_is_better=True,
            is_rival=False,
        ),
        against(
            *("SIGKILL to the next answer, cold", "s of processor time"),
            processors,
            peer="the load alone",
            less_is_better=True,
            is_rival=False,
        ),
    ]


async def warm(folder: Path, threads: int, rounds: int, tokens: int) -> list[Figure]:
    """Measure with a spare worker, against the same request when nobody dies."""
    walls, processors = [], []
    async with supervised(as_by_hand(folder, threads), standby=True) as model:
        for _ in range(rounds):
            await model.spare_ready()
            busy = model.processor()
            ordinary = await _answer(model, tokens)
            ordinary_processor = model.processor() - busy
            busy = time.process_time() + processor_seconds(model.spare)
            walls.append((await _answer_after_kill(model, tokens), ordinary))
            processors.append((model.processor() - busy, ordinary_processor))
    return [
        against(
            *("SIGKILL to the next answer, with a spare", "s by the clock"),
            walls,
            peer="an ordinary request",
            less_is_better=True,
            is_rival=False,
            at_most=MOST_WARM,
        ),
        against(
            *("SIGKILL to the next answer, with a spare", "s of processor time"),
            processors,
            peer="an ordinary request",
            less_is_better=True,
            is_rival=False,
        ),
    ]


async def _answer_after_kill(model: Supervised, tokens: int) -> float:
    """Kill the worker, then ask; give the seconds from the kill to the whole answer."""
    began = time.perf_counter()
    await model.kill()
    await _answer(model, tokens)
    return time.perf_counter() - began


async def _answer(model: Supervised, tokens: int) -> float:
    """Ask; give the seconds to the whole answer."""
    began = time.perf_counter()
    await model.ref.ask(asked(texts.one(tokens)), timeout=PATIENCE)
    return time.perf_counter() - began
