"""Trouble: kill a process, or stop it, at a random moment of its life; make memory run out."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from random import Random

from bench.storm.blows import draw_moment, draw_signal
from bench.storm.ground import Here
from bench.storm.tree import ROUTERS, model_paths
from bench.storm.victims import Victims
from failsoft.actors import System
from failsoft.actors.errors import ActorError
from failsoft.messages import InferenceError, InjectFault
from failsoft.messages.events import ModelStateChanged
from failsoft.supervisors import RestartChild, TerminateChild

_OUT_OF_MEMORY = 0.15
_PATIENCE = 10.0


class Trouble:
    """Make trouble in a system, one at a time, and count it.

    by_moment, by_signal: the processes that were sent a signal. out_of_memory: injected.
    """

    def __init__(self, system: System, random: Random, ground: Here) -> None:
        self.by_moment: Counter[str] = Counter()
        self.by_signal: Counter[str] = Counter()
        self.out_of_memory = 0
        self._system = system
        self._random = random
        self._ground = ground
        self._victims = Victims(system)
        self._moved = asyncio.Event()
        system.events.subscribe(self._hear, ModelStateChanged)

    def __repr__(self) -> str:
        return f"<Trouble {dict(self.by_moment)}>"

    @property
    def kills(self) -> int:
        return self.by_moment.total()

    async def happen(self) -> None:
        """Hit one process, in the moment that is drawn, or in another where none is in that."""
        random = self._random
        if random.random() < _OUT_OF_MEMORY:
            fault = InjectFault("oom", after_steps=random.randrange(4))
            self._system.ref(random.choice(model_paths())).tell(fault)
            self.out_of_memory += 1
        wanted = draw_moment(random, self._ground.around)
        match wanted:
            case "stopping":
                await self._hit_while_stopping()
            case _ if wanted in self._ground.around:
                self._hit(wanted, self._ground.victims(self._system).get(wanted, []))
            case _:
                await self._hit_in(wanted)

    async def _hit_in(self, wanted: str) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                while wanted not in self._victims.now():
                    await self._until_one_moves()
        now = self._victims.now()
        if now:
            moment = wanted if wanted in now else self._random.choice(sorted(now))
            self._hit(moment, now[moment])

    async def _hit_while_stopping(self) -> None:
        """Take a model out, hit it on its way, and put it in again."""
        name = self._random.choice(sorted(ROUTERS))
        child = self._random.choice(ROUTERS[name][1])
        router = self._system.ref(f"root/{name}")

        async def order(request: TerminateChild | RestartChild) -> None:
            with contextlib.suppress(ActorError, InferenceError):  # it restarts just now, say
                await router.ask(request, timeout=_PATIENCE)

        stopping = asyncio.create_task(order(TerminateChild(child)))
        while not stopping.done() and "stopping" not in self._victims.now():
            await asyncio.wait([stopping], timeout=0.001)
        await asyncio.sleep(self._random.choice([0.0, 0.0, 0.002, 0.02]))
        self._hit("stopping", self._victims.now().get("stopping", []))
        await stopping
        await order(RestartChild(child))

    async def _until_one_moves(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    def _hit(self, moment: str, pids: list[int]) -> None:
        if not pids:
            return
        number = draw_signal(self._random, moment)
        with contextlib.suppress(ProcessLookupError):
            self._ground.hit(moment, self._random.choice(pids), number)
            self.by_moment[moment] += 1
            self.by_signal[number.name] += 1

    def _hear(self, event: object) -> None:
        self._moved.set()
