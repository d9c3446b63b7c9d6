"""The sampler: takes pictures for all who look, together, and none while nobody does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Final

import msgspec

from failsoft.actors import System
from failsoft.messages import GenerateText, ModelOverloaded
from failsoft.service.http.gateway import Gateway
from failsoft.service.http.telemetry_actors import ask_actor
from failsoft.service.page.notices import notices_of
from failsoft.service.page.picture import NoTree, Picture, Told
from failsoft.service.page.rates import Rates
from failsoft.service.page.rows import rows_of, shortened
from failsoft.service.page.trouble import troubles_of, worst_first
from failsoft.telemetry import GetAlerts, GetErrors, GetHealth
from failsoft.telemetry.probes import degradation, nodes

# Seconds between two pictures: where something happens, and where nothing does.
_SHORTEST: Final = 0.25
_LONGEST: Final = 1.0
# A picture of so many actors takes a few milliseconds of the event loop; more are taken less often.
_ACTORS_A_SECOND: Final = 1000
_MOST_LOOKING: Final = 64
_ASK_LIMIT: Final = 1.0
_HAPPENED: Final = 30

_encode = msgspec.json.Encoder(enc_hook=str).encode


class Sampled(msgspec.Struct, frozen=True):
    """Be a picture, encoded. number: counts those that differ; at: when it was taken.

    name: of the event that it is sent as.
    """

    number: int
    at: float
    name: str
    body: bytes


class Sampler:
    """Take pictures of a gateway's tree."""

    def __init__(self, gateway: Gateway) -> None:
        self.rates = Rates()
        self.looking = 0
        self._gateway = gateway
        self._taking = asyncio.Lock()
        self._changed = asyncio.Event()
        self._last: Sampled | None = None
        self._actors = 0

    def __repr__(self) -> str:
        return f"<Sampler {self.looking} look, {0 if self._last is None else self._last.number}>"

    @contextlib.contextmanager
    def looks(self) -> Iterator[None]:
        """Give the block in which somebody looks. Raise ModelOverloaded where too many do."""
        if self.looking >= _MOST_LOOKING:
            raise ModelOverloaded(
                f"{self.looking} live pages are open already; close one.",
                details={"retry_after": 10.0},
            )
        if not self.looking:
            # Anew: an app may be run once more, in another event loop.
            self._taking, self._changed = asyncio.Lock(), asyncio.Event()
        self.looking += 1
        self._gateway.history.on_change = self._wake
        try:
            yield
        finally:
            self.looking -= 1

    async def take(self) -> Sampled:
        """Give a picture of now, or one that somebody has just taken."""
        async with self._taking:
            last = self._last
            if last is None or self._now(last) - last.at >= self._apart(_SHORTEST):
                last = self._last = await self._take()
            return last

    async def wait(self, since: Sampled) -> None:
        """Return when it is time for the next picture: something happened, or a while is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._apart(_LONGEST)):
                await self._changed.wait()
        await asyncio.sleep(max(0.0, since.at + self._apart(_SHORTEST) - self._now(since)))

    def _wake(self) -> None:
        # A new one: who waits from here on waits for what comes next.
        self._changed.set()
        self._changed = asyncio.Event()

    def _apart(self, seconds: float) -> float:
        return max(seconds, self._actors / _ACTORS_A_SECOND)

    def _now(self, last: Sampled) -> float:
        try:
            return self._gateway.system.clock.now()
        except ModelOverloaded:
            return last.at + _LONGEST

    async def _take(self) -> Sampled:
        try:
            system = self._gateway.system
        except ModelOverloaded as error:
            at = 0.0 if self._last is None else self._last.at
            return self._sampled(at, "no_tree", _encode(NoTree(error.message)))
        now = system.clock.now()
        return self._sampled(now, "picture", _encode(await self._picture(system, now)))

    def _sampled(self, at: float, name: str, body: bytes) -> Sampled:
        last = self._last
        if last is None:
            return Sampled(1, at, name, body)
        return Sampled(last.number + (body != last.body), at, name, body)

    async def _picture(self, system: System, now: float) -> Picture:
        gateway = self._gateway
        gateway.history.listen(system.events)
        tree = system.tree()
        self.rates.look(nodes(tree), now)
        rows = rows_of(tree, self.rates.now, now)
        self._actors = len(rows)
        level, load = degradation(tree)
        told = Told.by(
            await ask_actor(system, tree, "ErrorsActor", GetErrors(), _ASK_LIMIT),
            await ask_actor(system, tree, "AlertsActor", GetAlerts(), _ASK_LIMIT),
            await ask_actor(system, tree, "HealthActor", GetHealth(), _ASK_LIMIT),
        )
        return Picture(
            is_draining=gateway.is_draining,
            in_hand=gateway.in_hand,
            models=gateway.models.that_take(system, GenerateText),
            level=level,
            load=None if load is None else round(load, 2),
            restarts=sum(row.restarts for row in rows),
            troubles=worst_first(
                *troubles_of(rows, gateway.history.what_ails),
                *notices_of(told, level=level, load=load, is_draining=gateway.is_draining),
            ),
            rows=shortened(rows),
            happened=gateway.history.latest(_HAPPENED),
            told=told,
        )
