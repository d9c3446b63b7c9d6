"""A thousand actors, and whatever hypothesis thinks of doing to them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from failsoft.actors import SHUTDOWN, Actor, ActorStopped, Ref, System, handles
from failsoft.messages import GenerationFailed, InferenceTimeout, Message, Request
from failsoft.supervisors import Backoff, Intensity, Supervisor, child
from failsoft.testing import VirtualTimeLoop, VirtualTimeUvloop

COUNT = 1000


class Told(Message, frozen=True):
    number: int
    seconds: float = 0


class Asked(Request[int], frozen=True):
    number: int
    seconds: float = 0


class Fail(Message, frozen=True):
    pass


class Worker(Actor):
    def __init__(self, handled: Counter[int]) -> None:
        self._handled = handled

    @handles(Told)
    async def told(self, message: Told) -> None:
        await asyncio.sleep(message.seconds)
        self._handled[message.number] += 1

    @handles(Asked, cancellable=True)
    async def asked(self, message: Asked) -> int:
        await asyncio.sleep(message.seconds)
        return message.number

    @handles(Fail)
    def fail(self, _message: Fail) -> None:
        raise GenerationFailed("told to fail")


class ThousandActors(RuleBasedStateMachine):
    """RT-21 Each ask has one answer, each tell is handled once or is one dead letter."""

    loop: ClassVar[type[VirtualTimeLoop] | type[VirtualTimeUvloop]] = VirtualTimeLoop
    shares = st.tuples(st.integers(0, COUNT - 1), st.integers(1, 50))
    seconds = st.sampled_from([0.0, 0.02, 3.0])

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=self.loop)
        self.handled: Counter[int] = Counter()
        self.buried: Counter[int] = Counter()
        self.told: set[int] = set()
        self.answers: list[tuple[int, asyncio.Future[int]]] = []
        self.number = 0

    def run(self, step: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(step)

    def do(self, share: tuple[int, int], action: Callable[[Any], object]) -> None:
        """Do it to every so-manieth actor, from one on."""

        async def do() -> None:
            for ref in self.refs[share[0] :: share[1]]:
                action(ref)

        self.run(do())

    def bury(self, path: str, message: object, reason: str) -> None:
        """Take note of every dead letter: the system keeps but the last ones."""
        if isinstance(message, Told):
            self.buried[message.number] += 1

    @initialize()
    def enter(self) -> None:
        loop = self.runner.get_loop()
        self.up: asyncio.Future[System] = loop.create_future()
        self.over = asyncio.Event()
        self.host = loop.create_task(self.hold())
        self.system: System = self.run(asyncio.wait_for(self.up, 60))
        self.refs = [self.system.ref(f"root/a{number}") for number in range(COUNT)]

    async def hold(self) -> None:
        async with System() as system:
            system.dead_letters.add = self.bury  # type: ignore[method-assign]
            specs = [
                child(f"a{number}", lambda: Worker(self.handled), restart="transient")
                for number in range(COUNT)
            ]
            backoff, many = Backoff(base=0.05, cap=0.5), Intensity(10**6, 1)
            tree = Supervisor(specs, backoff=backoff, intensity=many)
            await system.spawn(lambda: tree, "root")
            self.up.set_result(system)
            await self.over.wait()

    @rule(share=shares, seconds=seconds)
    def tell(self, share: tuple[int, int], seconds: float) -> None:
        def tell(ref: Ref) -> None:
            self.number += 1
            self.told.add(self.number)
            ref.tell(Told(self.number, seconds))

        self.do(share, tell)

    @rule(share=shares, seconds=seconds, timeout=st.sampled_from([0.01, 1.0, 60.0]))
    def ask(self, share: tuple[int, int], seconds: float, timeout: float) -> None:
        def ask(ref: Ref) -> None:
            self.number += 1
            asking = asyncio.ensure_future(ref.ask(Asked(self.number, seconds), timeout=timeout))
            self.answers.append((self.number, asking))

        self.do(share, ask)

    @rule(share=shares)
    def fail(self, share: tuple[int, int]) -> None:
        self.do(share, lambda ref: ref.tell(Fail()))

    @rule(share=shares)
    def kill(self, share: tuple[int, int]) -> None:
        self.do(share, lambda ref: ref.address.kill())

    @rule(share=shares)
    def end(self, share: tuple[int, int]) -> None:
        """Have them end of their own accord: such are not restarted."""
        self.do(share, lambda ref: ref.address.exit(SHUTDOWN))

    @rule(every=st.integers(1, 5))
    def cancel(self, every: int) -> None:
        for _number, asking in self.answers[::every]:
            asking.cancel()

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.5, 10.0]))
    def wait(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    def teardown(self) -> None:
        self.over.set()
        self.run(asyncio.wait_for(self.host, 3600))
        self.run(asyncio.sleep(1e-9))
        assert set(self.handled) | set(self.buried) == self.told
        assert (self.handled + self.buried).total() == len(self.told)
        for number, asking in self.answers:
            assert asking.done()
            if not asking.cancelled():
                error = asking.exception()
                assert error is None or isinstance(
                    error, ActorStopped | InferenceTimeout | GenerationFailed
                )
                assert error is not None or asking.result() == number
        assert asyncio.all_tasks(self.runner.get_loop()) == set()
        self.runner.close()


class ThousandActorsOnUvloop(ThousandActors):
    loop = VirtualTimeUvloop


# A few: an example has some thousand messages, and takes as long as a hundred of others.
few = settings(max_examples=settings().max_examples // 12, stateful_step_count=25)
TestThousandActors = pytest.mark.usefixtures("plain_logs")(ThousandActors.TestCase)
TestThousandActors.settings = few
TestThousandActorsOnUvloop = pytest.mark.usefixtures("plain_logs")(ThousandActorsOnUvloop.TestCase)
TestThousandActorsOnUvloop.settings = few
