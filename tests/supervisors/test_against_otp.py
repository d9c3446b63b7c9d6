"""Nested trees under random failures and orders, held against a model of OTP."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from failsoft.actors import Actor, Ref, StartFailed, System, TreeFailed, handles
from failsoft.messages import Message
from failsoft.messages.events import SupervisorEscalated
from failsoft.supervisors import (
    NO_WAIT,
    ChildAlreadyPresent,
    ChildAlreadyStarted,
    ChildNotFound,
    ChildRunning,
    ChildSpec,
    DeleteChild,
    Intensity,
    IntensityExceeded,
    Replay,
    RestartChild,
    StartChild,
    Supervisor,
    TerminateChild,
)
from failsoft.testing import VirtualTimeLoop, VirtualTimeUvloop

from .otp import Node, Otp

REFUSALS: dict[type[Exception], str] = {
    ChildAlreadyPresent: "already_present",
    ChildAlreadyStarted: "already_started",
    ChildNotFound: "not_found",
    ChildRunning: "running",
    StartFailed: "start_failed",
}


class End(Message, frozen=True):
    """End; by an error, or normally."""

    abnormal: bool


class World:
    """Run the real tree. starts, failing: as in the model."""

    def __init__(self, root: Node) -> None:
        self.starts: Counter[str] = Counter()
        self.failing: Counter[str] = Counter()
        self.escalated: list[str] = []
        self.failure: TreeFailed | None = None
        self.replay = Replay()
        self._over = asyncio.Event()
        self._root = root

    async def live(self, up: asyncio.Future[System]) -> None:
        try:
            async with System() as system:
                system.events.subscribe(self.replay.hear)
                system.events.subscribe(
                    lambda event: self.escalated.append(event.path), SupervisorEscalated
                )
                await system.spawn(self.spec(self._root).start, self._root.id)
                up.set_result(system)
                await self._over.wait()
        except TreeFailed as error:
            self.failure = error

    def leave(self) -> None:
        self._over.set()

    def begin(self, path: str) -> None:
        self.starts[path] += 1
        if self.failing[path]:
            self.failing[path] -= 1
            raise OSError("it can't start")

    def spec(self, node: Node) -> ChildSpec:
        def make() -> Actor:
            return Worker(self) if node.strategy is None else Boss(self, node)

        return ChildSpec(
            id=node.id,
            start=make,
            restart=node.restart,  # type: ignore[arg-type]
            significant=node.significant,
        )


class Worker(Actor):
    def __init__(self, world: World) -> None:
        self._world = world

    async def on_start(self) -> None:
        self._world.begin(self.context.path)

    @handles(End)
    def end(self, message: End) -> None:
        if message.abnormal:
            raise ValueError("told to")
        self.context.exit()


class Boss(Supervisor):
    def __init__(self, world: World, node: Node) -> None:
        super().__init__(
            [world.spec(spec) for spec in node.specs],
            strategy=node.strategy,  # type: ignore[arg-type]
            intensity=Intensity(node.most, node.within),
            backoff=NO_WAIT,
            auto_shutdown=node.auto_shutdown,  # type: ignore[arg-type]
        )
        self._world = world

    async def on_start(self) -> None:
        self._world.begin(self.context.path)
        await super().on_start()


@st.composite
def trees(draw: st.DrawFn, id: str = "root", depth: int = 2, heeded: str = "never") -> Node:
    restart = draw(st.sampled_from(["permanent", "permanent", "transient", "temporary"]))
    can_matter = heeded != "never" and restart != "permanent"
    node = Node(id, restart, can_matter and draw(st.booleans()))
    if depth == 0 or (id != "root" and draw(st.booleans())):
        return node
    node.strategy = draw(st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"]))
    node.most = draw(st.integers(0, 3))
    hows = st.sampled_from(["never", "never", "any_significant", "all_significant"])
    node.auto_shutdown = draw(hows)
    ids = "abcd"[: draw(st.integers(1, 4))]
    node.specs = tuple(draw(trees(id, depth - 1, node.auto_shutdown)) for id in ids)
    return node


class AgainstOtp(RuleBasedStateMachine):
    """Do the same to both, and see that the same comes of it."""

    loop: ClassVar[type[VirtualTimeLoop] | type[VirtualTimeUvloop]] = VirtualTimeLoop

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=self.loop)

    @initialize(root=trees())
    def plant(self, root: Node) -> None:
        self.model = Otp(root)
        self.world = World(root)

        async def begin() -> None:
            loop = asyncio.get_running_loop()
            up: asyncio.Future[System] = loop.create_future()
            self.task = loop.create_task(self.world.live(up))
            self.system = await up
            await quiet()

        self.runner.run(begin())

    def teardown(self) -> None:
        async def finish() -> None:
            self.world.leave()
            await self.task

        if hasattr(self, "task"):
            self.runner.run(finish())
        self.runner.close()

    # -- what happens

    @precondition(lambda self: self.model.end is None)
    @rule(data=st.data(), abnormal=st.booleans())
    def end_a_worker(self, data: st.DataObject, abnormal: bool) -> None:
        workers = [node for node in self.model.nodes() if node.is_up and node.strategy is None]
        if not workers:
            return
        worker = data.draw(st.sampled_from(workers), label="worker")
        self.runner.run(self._tell(worker.path, End(abnormal)))
        self.model.ended(worker, abnormal=abnormal, now=self.system.clock.now())

    @precondition(lambda self: self.model.end is None)
    @rule(data=st.data(), times=st.integers(1, 2))
    def let_starts_fail(self, data: st.DataObject, times: int) -> None:
        node = data.draw(st.sampled_from(self.model.nodes()), label="node")
        self.model.failing[node.path] = self.world.failing[node.path] = times

    @rule(seconds=st.sampled_from([1, 2, 6]))
    def let_time_pass(self, seconds: int) -> None:
        self.runner.run(asyncio.sleep(seconds))

    @precondition(lambda self: self.model.end is None)
    @rule(
        data=st.data(),
        order=st.sampled_from(["start", "terminate", "restart", "delete"]),
        id=st.sampled_from("abcde"),
    )
    def order(self, data: st.DataObject, order: str, id: str) -> None:
        bosses = [node for node in self.model.nodes() if node.is_up and node.strategy is not None]
        boss = data.draw(st.sampled_from(bosses), label="boss")
        if order == "start":
            spec = data.draw(trees(id, 1, boss.auto_shutdown), label="spec")
            request: Any = StartChild(self.world.spec(spec))
            expected = self.model.start_child(boss, spec)
        else:
            kinds = {"terminate": TerminateChild, "restart": RestartChild, "delete": DeleteChild}
            request = kinds[order](id)
            expected = getattr(self.model, f"{order}_child")(boss, id)
        assert self.runner.run(self._ask(boss.path, request)) == expected

    # -- what must be the same

    @invariant()
    def the_same_children_run(self) -> None:
        if hasattr(self, "system"):
            nodes = [node for top in self.system.tree() for node in top.walk()]
            assert {node.path for node in nodes if node.state == "running"} == self.model.up()
            assert {path: count for path, count in self.world.starts.items() if count} == {
                path: count for path, count in self.model.starts.items() if count
            }

    @invariant()
    def the_same_supervisors_gave_up(self) -> None:
        if hasattr(self, "system"):
            assert self.world.escalated == self.model.escalated
            assert (self.world.failure is not None) == (self.model.end == "failed")
            if self.world.failure is not None:
                assert (
                    causes(self.world.failure)
                    == self.model.escalated[::-1][: len(causes(self.world.failure))]
                )

    @invariant()
    def the_events_tell_the_same(self) -> None:
        if hasattr(self, "system"):
            told = {
                path: (v.state, v.waiting_until) for path, v in self.world.replay.actors.items()
            }
            nodes = [node for top in self.system.tree() for node in top.walk()]
            assert told == {node.path: (node.state, node.waiting_until) for node in nodes}

    async def _tell(self, path: str, message: Message) -> None:
        self.system.ref(path).tell(message)
        await quiet()

    async def _ask(self, path: str, request: Any) -> str:
        boss: Ref = self.system.ref(path)
        try:
            await boss.ask(request)
        except tuple(REFUSALS) as error:
            return REFUSALS[type(error)]
        finally:
            await quiet()
        return "ok"


def causes(error: BaseException) -> list[str]:
    """Give the paths of the supervisors that an error came by, the uppermost first."""
    paths = []
    while error.__cause__ is not None:
        error = error.__cause__
        if isinstance(error, IntensityExceeded):
            paths.append(error.path)
    return paths


async def quiet() -> None:
    await asyncio.sleep(1e-9)


class AgainstOtpOnUvloop(AgainstOtp):
    loop = VirtualTimeUvloop


@pytest.mark.parametrize("machine", [AgainstOtp, AgainstOtpOnUvloop])
def test_a_tree_does_what_otp_does(machine: type[AgainstOtp], plain_logs: None) -> None:
    """SV-20 The same children run, started as often, and the same supervisors give up."""
    run_state_machine_as_test(machine)
