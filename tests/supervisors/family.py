"""Children for supervisors' tests: they write down their lives, and end as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from failsoft.actors import NORMAL, Actor, ExitReason, Ref, System, TreeNode, handles
from failsoft.messages import Message, Request
from failsoft.supervisors import (
    NO_WAIT,
    Backoff,
    ChildSpec,
    Intensity,
    Restart,
    Strategy,
    Supervisor,
    WhichChildren,
    child,
)

PLENTY = Intensity(1000, 1.0)


class Fail(Message, frozen=True):
    """Raise."""

    error: str = "told to"


class Finish(Message, frozen=True):
    """End normally."""


class Count(Request[int], frozen=True):
    """Ask how often this has been asked of this incarnation."""


class Member(Actor):
    """Be a child of the family."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._count = 0

    async def on_start(self) -> None:
        name = self.context.path.rpartition("/")[2]
        self._family.log.append(f"+{name}")
        await self._family.starting(name)

    async def on_stop(self, reason: ExitReason) -> None:
        name = self.context.path.rpartition("/")[2]
        self._family.log.append(f"-{name}")
        self._family.reasons[name] = reason
        await asyncio.sleep(self._family.stops_in.get(name, 0))

    @handles(Fail)
    def fail(self, message: Fail) -> None:
        raise KeyError(message.error)

    @handles(Finish)
    def finish(self, _message: Finish) -> None:
        self.context.exit(NORMAL)

    @handles(Count)
    def count(self, _message: Count) -> int:
        self._count += 1
        return self._count


class Family:
    """Make members, and know what became of them.

    log: ``+a`` where a's start began, ``-a`` where it ended. failing_starts: how many of a's next
    starts fail. starts_in, stops_in: seconds that it takes to.
    """

    def __init__(self, system: System) -> None:
        self.system = system
        self.log: list[str] = []
        self.reasons: dict[str, ExitReason] = {}
        self.failing_starts: dict[str, int] = {}
        self.starts_in: dict[str, float] = {}
        self.stops_in: dict[str, float] = {}

    def member(self) -> Member:
        return Member(self)

    async def starting(self, name: str) -> None:
        await asyncio.sleep(self.starts_in.get(name, 0))
        if self.failing_starts.get(name, 0) > 0:
            self.failing_starts[name] -= 1
            raise OSError(f"{name} can't start")

    def spec(
        self, id: str, restart: Restart = "permanent", shutdown: float | None = None
    ) -> ChildSpec:
        return child(id, self.member, restart=restart, shutdown=shutdown)

    def supervisor(
        self,
        children: str | list[ChildSpec],
        strategy: Strategy = "one_for_one",
        intensity: Intensity = PLENTY,
        backoff: Backoff = NO_WAIT,
        **options: Any,
    ) -> Callable[[], Supervisor]:
        """Give what makes a supervisor of members; one a letter, where it is a string."""
        specs = [self.spec(id) for id in children] if isinstance(children, str) else children
        return lambda: Supervisor(
            specs, strategy=strategy, intensity=intensity, backoff=backoff, **options
        )

    def take_log(self) -> str:
        """Give the log so far, and begin a new one."""
        log, self.log = " ".join(self.log), []
        return log

    def tell(self, name: str, message: Message) -> None:
        self.system.ref(f"root/{name}").tell(message)

    async def count(self, name: str) -> int:
        return await self.system.ref(f"root/{name}").ask(Count())

    def node(self, path: str) -> TreeNode | None:
        nodes = (node for top in self.system.tree() for node in top.walk())
        return next((node for node in nodes if node.path == path), None)


async def quiet() -> None:
    """Wait until nothing can run any more but by time: the virtual clock moves only then."""
    await asyncio.sleep(1e-9)


async def phases(supervisor: Ref) -> dict[str, str]:
    """Ask where each child stands."""
    return {info.id: info.phase for info in await supervisor.ask(WhichChildren())}
