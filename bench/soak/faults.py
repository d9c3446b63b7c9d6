"""Faults: processes of the service are killed, stopped or told to end, and its file is changed."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

import msgspec

from bench.soak.reloads import changed
from bench.soak.service import Service
from bench.storm.blows import draw_moment, draw_signal
from bench.storm.victims import by_moment, by_name
from failsoft.actors import TreeNode

# Seconds, on the average, from one fault to the next.
APART: Final = 4.0
_RELOAD: Final = 0.12
_PARENTS: Final = {"reaper": "failsoft-reaper", "template": "failsoft-templ"}

Tree = tuple[TreeNode, ...]


class Fault(msgspec.Struct, frozen=True):
    """Tell of one. at: seconds since the beginning. what: a moment and a signal, or ``reload``."""

    at: float
    what: str


class Faults:
    """Make faults in the service at times that a seed tells.

    look: gives the tree as it is. now: seconds since the beginning.
    """

    def __init__(
        self,
        service: Service,
        seed: int,
        look: Callable[[], Awaitable[Tree | None]],
        now: Callable[[], float],
    ) -> None:
        self.happened: list[Fault] = []
        self.signals: Counter[str] = Counter()
        self._random = Random(f"{seed}/faults")
        self._service = service
        self._look = look
        self._now = now

    def __repr__(self) -> str:
        return f"<Faults {len(self.happened)}>"

    async def happen_for(self, seconds: float) -> None:
        """Make faults for so long."""
        until = self._now() + seconds
        while True:
            wait = self._random.expovariate(1 / APART)
            left = until - self._now()
            await asyncio.sleep(min(wait, left))
            if wait >= left:
                return
            if self._random.random() < _RELOAD:
                self._service.reload(changed(self._service.tree, self._random))
                self._note("reload")
            else:
                await self._hit(draw_moment(self._random))

    async def _hit(self, wanted: str) -> None:
        """Hit a process in that moment, or in another where none is in that."""
        tree = await self._look()
        if tree is None:
            return
        there = by_name(self._service.pid)
        moments = by_moment(tree, set(there.get("failsoft-worker", ())))
        for moment, name in _PARENTS.items():
            if pids := there.get(name):
                moments[moment] = pids
        others = sorted(set(moments) - set(_PARENTS))
        moment = wanted if wanted in moments else self._random.choice(others or [""])
        if moment not in moments:
            return
        number = draw_signal(self._random, moment)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._random.choice(moments[moment]), number)
            self.signals[number.name] += 1
            self._note(f"{moment}, {number.name}")

    def _note(self, what: str) -> None:
        self.happened.append(Fault(round(self._now(), 1), what))
