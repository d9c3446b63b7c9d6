"""What a chunk of a stream costs the event loop: from the worker's wire by pool and router."""

from __future__ import annotations

import asyncio
from time import thread_time
from typing import Final

from bench.figures import Figure, Spread
from failsoft.actors import Ref, System
from failsoft.gpu.script import Say, Script
from failsoft.gpu.scripted import scripted
from failsoft.messages import GenerateText
from failsoft.supervisors import pool, router

STREAMS: Final = 16
# In seconds, between the words of a stream: readers keep up, and each word is a chunk.
_APART: Final = 0.001


async def chunk_us(words: int) -> float:
    """Give the microseconds of a chunk, sixteen streams side by side; a process says the words."""
    script = Script(otherwise=[Say("word ", _APART, words)], max_batch=STREAMS)
    async with System() as system:
        spec = router("text", pool("model", scripted(script), replicas=1))
        ref = await system.spawn(spec.start, spec.id)
        await _read(ref, words)
        began = thread_time()
        counts = await asyncio.gather(*(_read(ref, words) for _ in range(STREAMS)))
        return (thread_time() - began) / sum(counts) * 1e6


async def _read(ref: Ref, words: int) -> int:
    count = 0
    async with ref.stream(GenerateText("go on", max_tokens=words)) as chunks:
        async for _ in chunks:
            count += 1
    return count


async def figures(rounds: int, words: int = 200) -> list[Figure]:
    """Measure it so many times."""
    return [
        Figure(
            name="a chunk, by way of pool and router",
            unit="µs of the loop",
            ours=Spread.of([await chunk_us(words) for _ in range(rounds)]),
            less_is_better=True,
        )
    ]
