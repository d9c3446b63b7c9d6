"""The loop's lag: how late the event loop comes to what is due."""

from __future__ import annotations

import asyncio

from failsoft.actors import Clock, System
from failsoft.telemetry.health_check import HealthCheck, Unhealthy

_STEP = 0.1


def loop_lag_check(
    *,
    most: float = 0.5,
    watch: float = 5.0,
    critical: bool = False,
    interval: float = 10.0,
) -> HealthCheck:
    """Fail where a timer came more than ``most`` seconds late while it was watched.

    watch: seconds for which timers are watched, in each interval.
    """
    if not (most > 0 and 0 < watch < interval):
        raise ValueError("most must be over 0 s, and watch over 0 s and under the interval")

    async def run(system: System) -> None:
        worst = await worst_lag(system.clock, watch)
        if worst > most:
            raise Unhealthy(f"the event loop was {worst:.2f} s late, more than {most:g} s")

    # The timeout is far: a loop that lags is found by its lag.
    return HealthCheck("loop lag", run, critical, interval, timeout=watch + 30.0)


async def worst_lag(clock: Clock, seconds: float) -> float:
    """Give the most that a timer was late in the next ``seconds``."""
    until = clock.now() + seconds
    worst = 0.0
    while (now := clock.now()) < until:
        worst = max(worst, await _lag(clock, now + _STEP))
    return worst


async def _lag(clock: Clock, due: float) -> float:
    loop = asyncio.get_running_loop()
    woken: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not woken.done():
            woken.set_result(None)

    timer = clock.call_at(due, wake)
    try:
        await woken
    finally:
        timer.cancel()
    return clock.now() - due
