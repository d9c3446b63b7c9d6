"""A router on real worker processes, disturbed in every way at once, from a seed that is printed.

Each request has one end and no more, whoever dies, hangs, leaves, or is taken out by an operator;
and what is over leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from failsoft.actors import ActorStopped, Ref, System, TreeNode, bind_correlation_id
from failsoft.actors.errors import ActorError
from failsoft.gpu.script import (
    Act,
    BreakDevice,
    Die,
    Echo,
    Exit,
    Garble,
    Pause,
    Raise,
    RunOutOfMemory,
    Say,
    Script,
    Stall,
    When,
)
from failsoft.gpu.scripted import scripted
from failsoft.messages import (
    GenerateText,
    InferenceError,
    ModelOverloaded,
    PoisonedRequest,
    Request,
    TextReply,
)
from failsoft.messages.events import DeadLettered, RequestFinished, WorkerEnded
from failsoft.supervisors import (
    NO_WAIT,
    Admission,
    Backoff,
    Breaker,
    ForceBreaker,
    ForceDegradation,
    Hedge,
    Intensity,
    Limit,
    LoadActor,
    ResetBreaker,
    RestartChild,
    TerminateChild,
    WhichCandidates,
    child,
    model,
    router,
    supervisor,
)
from failsoft.testing import EventRecorder, Gate, running_system

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("plain_logs")]

PATIENT = 60.0
BATCH = 4
MODELS = ("first", "second", "third")
KILLERS: dict[str, list[Act]] = {
    "dies": [Pause(0.002, 3), Die()],
    "exits": [Say("one"), Exit(3)],
    "breaks": [Pause(0.002, 2), BreakDevice()],
    "garbles": [Say("one"), Garble("garbage")],
    "hangs": [Say("one"), Stall()],
}
SCRIPT = Script(
    max_batch=BATCH,
    load=[Pause(0.02)],
    rules=[
        *(When(f"it {how}", play) for how, play in KILLERS.items()),
        When("too much", [Echo(), RunOutOfMemory()]),
        When("a failure", [Raise("generation_failed")]),
        When("nonsense", [Raise("invalid_input")]),
        When("slowly", [Echo(0.01)]),
    ],
)
# Ends that come before the router has heard of the request, which then tells of none.
UNHEARD = {"left", "inference_timeout"}


@pytest.fixture
def anyio_backend() -> str:
    """Run in real time: real processes are waited for."""
    return "asyncio"


class Question(msgspec.Struct, frozen=True):
    """Be one request, and how long its caller waits for the answer (seconds)."""

    number: int
    request: GenerateText
    within: float
    is_stream: bool = False

    @property
    def id(self) -> str:
        return f"question {self.number}"


class Ledger:
    """Ask, and write down how each question ended, and how often a router says that it did."""

    def __init__(self, system: System) -> None:
        self.ends: dict[str, str] = {}
        self.told: Counter[str | None] = Counter()
        self.deaths = 0
        self.unwanted: list[DeadLettered] = []
        self.open: dict[asyncio.Task[None], Question] = {}
        self.begun: set[int] = set()
        system.events.subscribe(self._hear, RequestFinished, WorkerEnded, DeadLettered)

    def _hear(self, event: object) -> None:
        match event:
            case RequestFinished():
                self.told[event.correlation_id] += 1
            case WorkerEnded(asked=False):
                self.deaths += 1
            case DeadLettered(path="root/text"):  # where it answers twice
                self.unwanted.append(event)

    def ask(self, ref: Ref, question: Question) -> asyncio.Task[None]:
        task = asyncio.create_task(self._ask(ref, question))
        self.open[task] = question
        task.add_done_callback(self.open.pop)
        return task

    async def _ask(self, ref: Ref, question: Question) -> None:
        bind_correlation_id(question.id)
        self.begun.add(question.number)
        end = "left"
        try:
            text = await (_read if question.is_stream else _get)(ref, question)
            is_right = text and str(question.request.prompt).startswith(text)
            end = "ok" if is_right else f"wrong: {text!r}"
        except InferenceError as error:
            end = error.kind
        except ActorError as error:
            end = type(error).__name__
        finally:
            self.ends[question.id] = end

    async def has_at_most(self, count: int) -> None:
        """Wait until so many questions, or fewer, have no end yet."""
        while len(self.open) > count:
            await asyncio.wait(self.open, return_when=asyncio.FIRST_COMPLETED)

    def check(self, asked: int) -> None:
        """See that each question has one end, and that it was told of once."""
        assert len(self.ends) == asked
        # One that is answered in the moment in which it leaves gets a dead letter.
        left = sum(end == "left" for end in self.ends.values())
        assert len(self.unwanted) <= left, self.unwanted
        for id, end in self.ends.items():
            assert not end.startswith("wrong")
            least = 0 if end in UNHEARD else 1
            assert least <= self.told[id] <= 1, (id, end, self.told[id])


async def _get(ref: Ref, question: Question) -> str:
    return (await ref.ask(question.request, timeout=question.within)).text


async def _read(ref: Ref, question: Question) -> str:
    """Read to the end, after which there must be nothing more."""
    async with ref.stream(question.request, timeout=question.within) as chunks:
        text = "".join([chunk.text async for chunk in chunks])
        with pytest.raises(StopAsyncIteration):
            await anext(chunks)
    return text


@contextlib.asynccontextmanager
async def routed(seed: int, script: Script = SCRIPT, **options: Any) -> AsyncIterator[System]:
    """Run a load actor and a router with three real workers; all are ready when this gives it."""
    # The first step's limit, too: who is stuck may share a batch with one who has yet to begin.
    worker = scripted(
        script,
        heartbeat_every=0.2,
        heartbeat_limit=1.5,
        first_step_limit=1.0,
        hang_limit=1.0,
        stop_grace=0.2,
    )
    text = router(
        "text",
        *(model(name, worker, shutdown=5.0) for name in MODELS),
        backoff=NO_WAIT,
        intensity=Intensity(max_restarts=1000),
        retry_backoff=Backoff(base=0.05, cap=0.2),
        **options,
    )
    load = child("load", lambda: LoadActor(sensors={}))
    async with running_system(seed=seed) as system:
        events = EventRecorder(system)
        await system.spawn(supervisor("root", load, text).start, "root")
        await events.wait_until(lambda: all(model.is_ready for model in models(system)))
        events.close()
        yield system


def models(system: System) -> list[TreeNode]:
    """Give the models as they are now."""
    return [node for node in system.tree()[0].walk() if node.name in MODELS]


class Trouble:
    """Disturb a router, its workers, its callers, a random one at a time."""

    def __init__(self, system: System, ledger: Ledger, random: Random) -> None:
        self._system, self._ledger, self._random = system, ledger, random
        self._text, self._load = system.ref("root/text"), system.ref("root/load")
        self.signals = 0

    async def happen(self) -> None:
        random, name = self._random, self._random.choice(MODELS)
        match random.choice(["kill", "kill", "stop", "force", "reset", "take out", "level"]):
            case "kill":
                self._signal(signal.SIGKILL)
            case "stop":
                self._signal(signal.SIGSTOP)
            case "force":
                await self._order(ForceBreaker(name, random.choice(["open", "closed", None])))
            case "reset":
                await self._order(ResetBreaker(name))
            case "take out":
                await self._order(TerminateChild(name))
                await self._order(RestartChild(name))
            case _:
                level = random.choice(["full", "reduced", "minimal", None])
                await self._load.ask(ForceDegradation(level))
        leaving = [
            task
            for task, question in self._ledger.open.items()
            if question.within < PATIENT and question.number in self._ledger.begun
        ]
        for task in random.sample(leaving, min(2, len(leaving))):
            task.cancel()

    async def end(self) -> None:
        """Let go of all circuits."""
        for name in MODELS:
            await self._order(ResetBreaker(name))

    def _signal(self, number: int) -> None:
        pid = self._random.choice(models(self._system)).shows.get("pid")
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
                self.signals += 1

    async def _order(self, request: Request[object]) -> None:
        with contextlib.suppress(ActorError):  # it may run, or restart, just now
            await self._text.ask(request, timeout=PATIENT)


def question(random: Random, number: int) -> Question:
    """Draw what is asked, by whom, how urgently, and for how long they wait."""
    how = random.choices(
        ["quickly", "slowly", "too much", "a failure", "nonsense"], [10, 6, 1, 1, 1]
    )[0]
    words = " ".join(["word"] * random.randrange(8))
    request = GenerateText(
        f"{how} {number} {words}".strip(),
        max_tokens=random.choice([4, 100]),
        priority=random.choice([0, 0, 1, -3]),
        tenant=random.choice(["", "one", "another"]),
    )
    return Question(number, request, random.choice([0.02, 0.2, 2, 5, 5]), random.random() < 0.4)


@pytest.mark.parametrize("seed", range(3))
async def test_each_request_has_one_end_and_nothing_is_left(seed: int) -> None:
    """WK-20 WK-01 WK-10 Kills, hangs, poison, callers who leave, operators, load: all at once."""
    print("seed", seed)
    random, asked, poisons = Random(seed), 150, 0
    options: dict[str, Any] = {
        "while_restarting": ("fallback", "wait", 0.5)[seed % 3],
        "while_busy": ("fallback", "wait")[seed % 2],
        "hedge": (None, Hedge(minimum=5, least_seconds=0.01))[seed % 2],
        "breaker": Breaker(open_seconds=0.2, longest_open=1.0, probe_seconds=1.0),
    }
    async with routed(seed, **options) as system:
        ledger, text = Ledger(system), system.ref("root/text")
        trouble = Trouble(system, ledger, random)
        for number in range(asked):
            if number % 30 == 11:  # patient, so that it is known whose fault it was
                poisons += 1
                poison = GenerateText(f"it {random.choice(list(KILLERS))} {number}")
                ledger.ask(text, Question(number, poison, PATIENT))
            else:
                ledger.ask(text, question(random, number))
            if number % 6 == 5:
                await trouble.happen()
            await ledger.has_at_most(24)
        await trouble.end()
        await ledger.has_at_most(0)
        ledger.check(asked)
        assert ledger.deaths <= trouble.signals + 2 * poisons
        infos = await text.ask(WhichCandidates())
        assert [(info.in_flight, info.waiting) for info in infos] == [(0, 0)] * 3
        assert system.tree()[0].children[1].shows["in_hand"] == 0


@pytest.mark.parametrize("how", KILLERS)
async def test_poison_costs_two_workers_and_no_neighbour_its_answer(how: str) -> None:
    """WK-10 Whatever way it takes them down; the like of it costs none."""
    async with routed(0, breaker=None, budget=None) as system:
        ledger, text = Ledger(system), system.ref("root/text")
        poison = GenerateText(f"it {how}")
        asks = [
            ledger.ask(text, Question(n, GenerateText(f"slowly {n} and so on"), PATIENT))
            for n in range(24)
        ]
        ledger.ask(text, Question(24, poison, PATIENT))
        asks += [
            ledger.ask(text, Question(n, GenerateText(f"slowly {n} and so on"), PATIENT))
            for n in range(25, 49)
        ]
        await asyncio.gather(*asks)
        await ledger.has_at_most(0)
        assert ledger.ends.pop("question 24") == "poisoned_request"
        assert set(ledger.ends.values()) == {"ok"}
        with pytest.raises(PoisonedRequest):
            await text.ask(poison)
        assert ledger.deaths == 2


async def test_a_flood_is_refused_but_for_what_may_wait(tmp_path: Path) -> None:
    """AD-01 Slots and queues of three models are filled, and those who hold them are answered."""
    with Gate(tmp_path / "gate") as gate:
        held = Script(max_batch=2, otherwise=[gate.wait, Echo()])
        admission = Admission(queue_limit=16, limit=Limit.fixed(2))
        async with routed(0, held, admission=admission) as system:
            text = system.ref("root/text")
            asks = [
                asyncio.create_task(text.ask(GenerateText(f"{n}"), timeout=PATIENT))
                for n in range(1000)
            ]
            taken = 3 * (16 + 2)
            while (done := sum(task.done() for task in asks)) < 1000 - taken:
                await asyncio.wait(
                    [task for task in asks if not task.done()],
                    return_when=asyncio.FIRST_COMPLETED,
                )
            assert done == 1000 - taken
            infos = await text.ask(WhichCandidates())
            assert [(info.in_flight, info.waiting) for info in infos] == [(2, 16)] * 3
            gate.open()
            answers = await asyncio.gather(*asks, return_exceptions=True)
            gate.close()
            refused = [each for each in answers if isinstance(each, ModelOverloaded)]
            assert sum(isinstance(each, TextReply) for each in answers) == taken
            assert len(refused) == 1000 - taken
            assert all(each.details["retry_after"] >= 1 for each in refused)


async def test_a_router_that_is_stopped_under_load_leaves_nobody_waiting() -> None:
    """SV-18 WK-20 What is in work is finished or ends with it; all else is refused at once."""
    random = Random(7)
    async with routed(7) as system:
        ledger, text = Ledger(system), system.ref("root/text")
        for number in range(100):
            ledger.ask(text, question(random, number))
        await ledger.has_at_most(80)
        await system.ref("root").ask(TerminateChild("text"), timeout=PATIENT)
        await ledger.has_at_most(0)
        assert len(ledger.ends) == 100
        assert ActorStopped.__name__ in ledger.ends.values()
        assert max(ledger.told.values()) == 1
