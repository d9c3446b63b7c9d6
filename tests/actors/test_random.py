"""The whole runtime under random tells, asks, streams, stops, kills, failures and cancellations."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from random import Random

import pytest

from failsoft.actors import (
    Actor,
    ActorStopped,
    MailboxFull,
    Ref,
    Reply,
    System,
    handles,
    streams,
)
from failsoft.messages import InferenceTimeout, Message, Request, Streamed
from failsoft.supervisors import Backoff, Intensity, Supervisor, child

from .sample_actors import quiet

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("clean_loop", "plain_logs")]


class Tell(Message, frozen=True):
    number: int
    seconds: float


class Ask(Request[int], frozen=True):
    number: int
    seconds: float


class Ask2(Ask, frozen=True):
    """Be handled side by side with others."""


class Later(Request[int], frozen=True):
    """Be answered later, or never."""

    number: int


class Count(Streamed[int], frozen=True):
    number: int


class Die(Message, frozen=True):
    pass


class Account:
    """Count what became of everything that was sent."""

    def __init__(self) -> None:
        self.told: set[int] = set()
        self.handled: Counter[int] = Counter()
        self.failed: set[int] = set()
        self.answers: Counter[str] = Counter()
        self.asked = 0


class Worker(Actor):
    mailbox_bound = 5

    def __init__(self, account: Account, random: Random) -> None:
        self._account = account
        self._random = random
        self._owed: list[tuple[int, Reply[int]]] = []

    async def on_start(self) -> None:
        await asyncio.sleep(self._random.choice([0, 0, 0.1]))

    async def on_stop(self, reason: object) -> None:
        await asyncio.sleep(self._random.choice([0, 0, 0.1]))

    @handles(Tell)
    async def tell(self, message: Tell) -> None:
        await asyncio.sleep(message.seconds)
        self._account.handled[message.number] += 1

    @handles(Ask, cancellable=True)
    async def ask(self, message: Ask) -> int:
        await asyncio.sleep(message.seconds)
        return message.number

    @handles(Ask2, interleave=True)
    async def ask_2(self, message: Ask2) -> int:
        await asyncio.sleep(message.seconds)
        if message.number % 17 == 0:
            raise KeyError(message.number)
        return message.number

    @handles(Later)
    def later(self, message: Later) -> Reply[int]:
        self._owed.append((message.number, self.context.defer()))
        if len(self._owed) > 2:
            number, reply = self._owed.pop(0)
            if reply.is_open:
                reply.set(number)
        return self._owed[-1][1]

    @streams(Count)
    async def count(self, message: Count) -> AsyncIterator[int]:
        for number in range(5):
            await asyncio.sleep(0.01)
            yield number

    @handles(Die)
    def die(self, _message: Die) -> None:
        raise LookupError("told to die")


class Player:
    """Send at random, and take note of each outcome."""

    def __init__(self, system: System, random: Random, account: Account) -> None:
        self._system = system
        self._random = random
        self._account = account
        self._number = 0

    async def play(self, refs: list[Ref], turns: int) -> None:
        for _ in range(turns):
            self._number += 1
            ref = self._random.choice(refs)
            match self._random.randrange(12):
                case 0 | 1 | 2:
                    self._tell(ref)
                case 3 | 4 | 5 | 6:
                    await self._ask(ref)
                case 7:
                    await self._stream(ref)
                case 8:
                    self._try(ref, Die())
                case 9 if ref.is_alive:
                    ref.address.kill()  # type: ignore[attr-defined]
                case _:
                    await asyncio.sleep(self._random.choice([0, 0.05, 1]))

    def _tell(self, ref: Ref) -> None:
        message = Tell(self._random.getrandbits(60), self._random.choice([0, 0.02]))
        if self._try(ref, message):
            self._account.told.add(message.number)

    def _try(self, ref: Ref, message: Message) -> bool:
        try:
            ref.tell(message)
        except MailboxFull:
            return False
        return True

    async def _ask(self, ref: Ref) -> None:
        kind = self._random.choice([Ask, Ask2, Later])
        number, seconds = self._number, self._random.choice([0, 0.02, 0.5])
        request = Later(number) if kind is Later else kind(number, seconds)
        self._account.asked += 1
        timeout = self._random.choice([0.01, 0.3, 5])
        asking = asyncio.ensure_future(ref.ask(request, timeout=timeout))
        if self._random.random() < 0.2:
            await asyncio.sleep(self._random.choice([0, 0.01]))
            asking.cancel()
        try:
            answer = await asking
            assert answer == number
            self._account.answers["ok"] += 1
        except (KeyError, ActorStopped, InferenceTimeout, MailboxFull) as error:
            self._account.answers[type(error).__name__] += 1
        except asyncio.CancelledError:
            self._account.answers["cancelled"] += 1

    async def _stream(self, ref: Ref) -> None:
        self._account.asked += 1
        most = self._random.choice([1, 100])
        read: list[int] = []
        try:
            async with ref.stream(Count(self._number), timeout=3, bound=2) as numbers:
                async for number in numbers:
                    read.append(number)
                    if len(read) >= most:
                        break
            assert read == list(range(min(most, 5)))
            self._account.answers["ok"] += 1
        except (ActorStopped, InferenceTimeout, MailboxFull) as error:
            self._account.answers[type(error).__name__] += 1
        assert read == list(range(len(read)))


@pytest.mark.parametrize("seed", range(6))
async def test_each_ask_gets_one_answer_and_no_tell_is_lost_in_silence(seed: int) -> None:
    """RT-21 In a tree of 30 actors that die all the time; seeded, and the seed is shown."""
    print(f"seed {seed}")
    random, account = Random(seed), Account()
    async with System(random=random) as system:
        specs = [child(f"w{n}", lambda: Worker(account, random)) for n in range(30)]
        backoff = Backoff(base=0.1, cap=0.5)
        many = Intensity(100_000, 1)
        await system.spawn(lambda: Supervisor(specs, backoff=backoff, intensity=many), "root")
        refs = [system.ref(f"root/w{n}") for n in range(30)]
        players = [Player(system, random, account) for _ in range(20)]
        async with asyncio.TaskGroup() as group:
            for player in players:
                group.create_task(player.play(refs, 60))
        await quiet()
        assert system.tree()[0].restarts == 0
    letters = [d.message.number for d in system.dead_letters.recent if type(d.message) is Tell]
    assert account.told
    assert account.asked == account.answers.total()
    assert account.answers["ok"] > 0
    assert set(account.handled) | set(letters) >= account.told
    assert not set(account.handled) & set(letters)
    assert account.handled.total() == len(account.handled)
    assert len(letters) == len(set(letters))
