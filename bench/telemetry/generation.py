"""A real model's generation, with all of telemetry and with none, in turns."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import msgspec

from bench.engines.took import processor_seconds
from bench.figures import Figure, Spread, against
from bench.telemetry.parts import EVERYTHING, system_with
from failsoft.actors import Ref
from failsoft.gpu import text_worker
from failsoft.messages import ChatMessage, GenerateText
from failsoft.supervisors import model, router

MOST_PERCENT: Final = 0.5
_PROMPT: Final = "Write a long story about a lighthouse and the sea."
_PATIENCE: Final = 600.0
_TO_SETTLE: Final = 0.02


class _Took(msgspec.Struct, frozen=True):
    """Tell what a text took: seconds by the clock, and those of processors."""

    clock: float
    service: float
    worker: float

    @property
    def processor(self) -> float:
        return self.service + self.worker


class _Side:
    """Be a model behind a router. pid: of its worker."""

    def __init__(self, ref: Ref, pid: int) -> None:
        self._ref = ref
        self._pid = pid

    async def generate(self, tokens: int) -> _Took:
        """Have one text made."""
        worker, service = processor_seconds(self._pid), time.process_time()
        began = time.perf_counter()
        await self._ref.ask(_asked(tokens), timeout=_PATIENCE)
        clock = time.perf_counter() - began
        await asyncio.sleep(_TO_SETTLE)  # what telemetry does after the answer is its own
        service = time.process_time() - service
        return _Took(clock, service, processor_seconds(self._pid) - worker)


def _asked(tokens: int) -> GenerateText:
    # As a chat: after a plain text the model has nothing more to say.
    return GenerateText((ChatMessage("user", _PROMPT),), max_tokens=tokens, temperature=0.0)


@contextlib.asynccontextmanager
async def _side(folder: Path, *names: str) -> AsyncIterator[_Side]:
    # A prompt that was read before would be read no more, and all the rest be a larger part.
    worker = text_worker(folder, threads=1, prefix_tokens=0)
    async with system_with(*names) as system:
        spec = router("text", model("first", worker))
        ref = await system.spawn(spec.start, spec.id)
        await ref.ask(_asked(4), timeout=_PATIENCE)
        (text,) = (top for top in system.tree() if top.path == "text")
        yield _Side(ref, text.children[0].shows["pid"])


async def generation(folder: Path, tokens: int, rounds: int) -> list[Figure]:
    """Measure a text of so many tokens.

    By the clock it is too rough for half a percent on a machine that is shared. So there is a
    second figure: how much more the service's process works, of all that both processes do without.
    """
    pairs: list[tuple[_Took, _Took]] = []
    async with _side(folder, *EVERYTHING) as ours, _side(folder) as none:
        for number in range(rounds):
            # Who goes first takes turns too: what was just in the caches is the other's.
            if number % 2:
                without = await none.generate(tokens)
                pairs.append((await ours.generate(tokens), without))
            else:
                with_all = await ours.generate(tokens)
                pairs.append((with_all, await none.generate(tokens)))
    more = [100 * (mine.service - theirs.service) / theirs.processor for mine, theirs in pairs]
    return [
        against(
            *(f"{tokens} tokens, all on", "s by the clock"),
            [(mine.clock, theirs.clock) for mine, theirs in pairs],
            peer="none",
            less_is_better=True,
            is_rival=False,
            at_most=1 + MOST_PERCENT / 100,
        ),
        Figure(
            name=f"{tokens} tokens, all on",
            unit="% more work",
            ours=Spread.of(more),
            less_is_better=True,
            at_most=MOST_PERCENT,
        ),
    ]
