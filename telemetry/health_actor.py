"""The health actor: runs the checks side by side, each at its own interval."""

from __future__ import annotations

import asyncio
import functools
from dataclasses import dataclass
from typing import Any, ClassVar

from failsoft.actors import Actor, ExitReason, Overflow, handles
from failsoft.actors.errors import describe
from failsoft.messages import Message, Request
from failsoft.telemetry.events import HealthChanged
from failsoft.telemetry.health import Health, HealthReport
from failsoft.telemetry.health_check import HealthCheck, Unhealthy


class GetHealth(Request[HealthReport], frozen=True):
    """Ask how the service is; answered at once from what the last checks found."""


class RunCheck(Message, frozen=True):
    """Run a check now, where it isn't being run."""

    name: str


@dataclass(eq=False)
class _Run:
    """Know a run of a check that has not ended."""

    task: asyncio.Task[Any]
    began: float
    is_overdue: bool = False


class HealthActor(Actor):
    """Run checks, and publish HealthChanged where their results come to something else.

    health: the checks and their verdicts; made outside of the actor, it goes on after a restart.
    """

    overflow: ClassVar[Overflow] = Overflow.DROP_OLDEST

    def __init__(self, health: Health | None = None) -> None:
        self._health = health or Health()
        self._runs: dict[str, _Run] = {}

    async def on_start(self) -> None:
        self._health.begin(self.context.clock.now())
        for check in self._health.checks.values():
            self.context.send_after(0, RunCheck(check.name))
            self.context.send_every(check.interval, RunCheck(check.name))

    def on_shutdown(self, reason: ExitReason) -> bool:
        # A check takes seconds, and nobody waits for what it finds any more.
        self.context.exit(reason)
        return False

    def inspect(self) -> dict[str, Any]:
        return {
            "health": self._health.status,
            "critical_failures": self._health.critical_failures,
        }

    @handles(GetHealth)
    def _get_health(self, _request: GetHealth) -> HealthReport:
        return self._health.report(self.context.system.tree())

    @handles(RunCheck, interleave=True)
    async def _run_check(self, message: RunCheck) -> None:
        check = self._health.checks[message.name]
        earlier = self._runs.get(check.name)
        if earlier is not None:
            if earlier.is_overdue:
                self._found(check, "its last run hasn't ended yet", earlier.began)
            return
        task = asyncio.current_task()
        assert task is not None
        run = self._runs[check.name] = _Run(task, self.context.clock.now())
        timer = self.context.call_after(check.timeout, functools.partial(self._overdue, check, run))
        said = ""
        try:
            await check.run(self.context.system)
        except asyncio.CancelledError as error:
            if task.cancelling() > run.is_overdue:
                raise  # this actor ends
            said = describe(error)
        except Unhealthy as error:
            said = str(error)
        except Exception as error:  # whatever a check raises is its finding
            said = describe(error)
        finally:
            timer.cancel()
            del self._runs[check.name]
        if not run.is_overdue:
            self._found(check, said, run.began)

    def _overdue(self, check: HealthCheck, run: _Run) -> None:
        run.is_overdue = True
        self._found(check, f"did not end within {check.timeout:g} s", run.began)
        # Once: a check that doesn't heed it may go on, and only isn't begun again.
        run.task.cancel()

    def _found(self, check: HealthCheck, said: str, began: float) -> None:
        health = self._health
        before = health.add(check.name, said, began, self.context.clock.now())
        if before is not None:
            self.context.publish(
                HealthChanged,
                before=before,
                after=health.status,
                critical_failures=health.critical_failures,
            )
        if not health.has_started:
            health.look(self.context.system.tree())
