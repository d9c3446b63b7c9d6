"""The health actor: named checks at intervals, and the models' states as they are told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, Literal

import anyio
import msgspec

from failsoft.actors import Actor, ExitReason, Overflow, Subscription, handles
from failsoft.actors.errors import describe
from failsoft.messages import Message, Request
from failsoft.messages.events import ModelStateChanged

Status = Literal["healthy", "degraded", "critical"]


class HealthCheck(msgspec.Struct, frozen=True):
    """Describe a check.

    run: raises where something is wrong; its words are the report's.
    critical: whether its failure makes the whole service critical, or only degraded.
    interval, timeout: in seconds; a check that takes longer than ``timeout`` has failed.
    """

    name: str
    run: Callable[[], Awaitable[object]]
    critical: bool = False
    interval: float = 10.0
    timeout: float = 5.0


class CheckResult(msgspec.Struct, frozen=True):
    """Tell how a check went last. ``message`` is empty where it went well."""

    name: str
    critical: bool
    ok: bool
    message: str
    at: float
    seconds: float


class HealthReport(msgspec.Struct, frozen=True):
    """Tell how the service is. ``models``: path → readiness state, as last told."""

    status: Status
    critical_failures: tuple[str, ...]
    checks: tuple[CheckResult, ...]
    models: dict[str, str]


class GetHealth(Request[HealthReport], frozen=True):
    """Ask how the service is; answered at once from what the last checks found."""


class RunCheck(Message, frozen=True):
    """Run a check now."""

    name: str


class HealthActor(Actor):
    """Run checks side by side, each at its own interval, and hear of the models' states.

    No model ready makes the service critical, some that aren't make it degraded.
    """

    overflow: ClassVar[Overflow] = Overflow.DROP_OLDEST

    def __init__(self, checks: Sequence[HealthCheck] = ()) -> None:
        self._checks = {check.name: check for check in checks}
        if len(self._checks) < len(checks):
            raise ValueError("two health checks have the same name; rename one of them")
        self._results: dict[str, CheckResult] = {}
        self._running: set[str] = set()
        self._models: dict[str, str] = {}
        self._subscription: Subscription | None = None

    async def on_start(self) -> None:
        self._subscription = self.context.system.events.subscribe(
            self.context.ref, ModelStateChanged
        )
        self._models = {
            node.path: node.shows["model_state"]
            for top in self.context.system.tree()
            for node in top.walk()
            if "model_state" in node.shows
        }
        for check in self._checks.values():
            self.context.send_after(0, RunCheck(check.name))
            self.context.send_every(check.interval, RunCheck(check.name))

    async def on_stop(self, reason: ExitReason) -> None:
        if self._subscription is not None:
            self._subscription.cancel()

    @handles(ModelStateChanged)
    def _model_state(self, event: ModelStateChanged) -> None:
        self._models[event.path] = event.after

    @handles(RunCheck, interleave=True)
    async def _run_check(self, message: RunCheck) -> None:
        check = self._checks[message.name]
        if check.name in self._running:
            return  # its last run has yet to end
        self._running.add(check.name)
        began = self.context.clock.now()
        said = ""
        try:
            with anyio.fail_after(check.timeout):
                await check.run()
        except TimeoutError:
            said = f"did not end within {check.timeout:g} s"
        except Exception as error:  # whatever a check raises is its finding
            said = describe(error)
        finally:
            self._running.discard(check.name)
        now = self.context.clock.now()
        self._results[check.name] = CheckResult(
            check.name, check.critical, not said, said, now, now - began
        )

    @handles(GetHealth)
    def _get_health(self, _request: GetHealth) -> HealthReport:
        results = tuple(self._results.values())
        critical = [result.name for result in results if not result.ok and result.critical]
        ready = [state in ("ready", "busy") for state in self._models.values()]
        if self._models and not any(ready):
            critical.append("models")
        is_degraded = not all(ready) or not all(result.ok for result in results)
        status: Status = "critical" if critical else "degraded" if is_degraded else "healthy"
        return HealthReport(status, tuple(critical), results, dict(self._models))
