"""Models and routers that come and go in a running tree, in virtual time."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator

import pytest

from failsoft.actors import Actor, NoSuchActor, RemoteModel, System, handles
from failsoft.messages import GenerateText, TextReply, Usage
from failsoft.messages.events import ModelStateChanged
from failsoft.service.config.orders import Orders
from failsoft.supervisors import (
    Backoff,
    Candidate,
    WhichCandidates,
    candidate,
    router,
    supervisor,
)
from failsoft.testing import VirtualTimeLoop

pytestmark = pytest.mark.anyio

HELLO = GenerateText("hello")
DRAIN = 100.0


class Model(Actor):
    """Be ready after ``load`` seconds, or fail where that is negative; answer after ``seconds``."""

    def __init__(self, load: float = 0.0, seconds: float = 0.0) -> None:
        self._load = load
        self._seconds = seconds

    async def on_start(self) -> None:
        self.context.defer_ready()
        self.context.call_after(abs(self._load), self._loaded)

    def _loaded(self) -> None:
        if self._load < 0:
            self.context.crash(RuntimeError("out of luck"))
            return
        self.context.set_ready(True)
        self.context.publish(ModelStateChanged, before="loading", after="ready")

    @handles(GenerateText, interleave=True)
    async def generate(self, _request: GenerateText) -> TextReply:
        await asyncio.sleep(self._seconds)
        return TextReply(self.context.path, "stop", Usage(1, 1))


class Absent(RemoteModel):
    """Be a model elsewhere whose server isn't there."""

    def __init__(self) -> None: ...

    async def on_start(self) -> None:
        self.context.defer_ready()

    async def on_stop(self, reason: object) -> None: ...

    def on_shutdown(self, reason: object) -> bool:
        return True

    def inspect(self) -> dict[str, object]:
        return {}


def model(id: str, load: float = 0.0, seconds: float = 0.0) -> Candidate:
    return candidate(id, functools.partial(Model, load, seconds))


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


@pytest.fixture
async def system(clean_loop: None, plain_logs: None) -> AsyncIterator[System]:
    """Give a tree with one route to one model, which takes 50 s to answer."""
    tree = supervisor("root", router("chat", model("a", seconds=50)))
    async with System() as system:
        await system.spawn(tree.start, tree.id)
        yield system


async def candidates(system: System) -> list[str]:
    return [each.id for each in await system.ref("root/chat").ask(WhichCandidates())]


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_a_model_has_come_once_it_is_ready(system: System) -> None:
    """However long that takes."""
    began = now()
    assert await Orders(system, DRAIN).add_model("root/chat", model("b", load=1000))
    assert now() - began == 1000
    assert await candidates(system) == ["a", "b"]


async def test_a_model_that_fails_at_first_is_taken_out_again(system: System) -> None:
    """So is one that couldn't be started at all, and one that never is ready."""
    orders = Orders(system, DRAIN)
    assert not await orders.add_model("root/chat", model("b", load=-5))
    assert not await orders.add_model("root/chat", model("a"))
    assert not await orders.add_model("root/chat", model("c", load=1e6))
    assert await candidates(system) == ["a"]


async def test_a_server_that_is_not_there_is_waited_for_a_while(system: System) -> None:
    """And taken all the same: it comes and goes without our doing."""
    began = now()
    assert await Orders(system, DRAIN).add_model("root/chat", candidate("far", Absent))
    assert now() - began == 30
    assert await candidates(system) == ["a", "far"]


async def test_a_model_goes_once_it_has_nothing_in_hand(system: System) -> None:
    """Whoever comes meanwhile goes to another."""
    orders = Orders(system, DRAIN)
    await orders.add_model("root/chat", model("b"))
    in_hand = asyncio.create_task(system.ref("root/chat").ask(HELLO, timeout=200))
    await asyncio.sleep(1)
    going = asyncio.create_task(orders.retire_model("root/chat", "a"))
    await asyncio.sleep(1)
    assert (await system.ref("root/chat").ask(HELLO, timeout=200)).model_used == "b"
    assert not going.done()
    assert (await in_hand).model_used == "a"
    await going
    assert await candidates(system) == ["b"]


async def test_what_is_in_hand_for_too_long_is_not_waited_for(system: System) -> None:
    """No request may take longer than the limit: whatever is left belongs to nobody."""
    in_hand = asyncio.create_task(system.ref("root/chat").ask(HELLO, timeout=200))
    await asyncio.sleep(1)
    began = now()
    await Orders(system, 10.0).retire_model("root/chat", "a")
    assert 10 <= now() - began < 50
    assert await candidates(system) == []
    in_hand.cancel()


@pytest.mark.parametrize(("loads", "comes"), [((-1, -1), False), ((-1, 5), True), ((5, 5), True)])
async def test_a_route_has_come_where_one_of_its_models_has(
    system: System, loads: tuple[float, float], comes: bool
) -> None:
    """Those that failed are tried again by their router; where all did, it goes again."""
    models = {f"m{number}": model(f"m{number}", load) for number, load in enumerate(loads)}
    spec = router("new", *models.values(), backoff=Backoff(base=1000, jitter=False))
    served = _Route("new", spec, models)
    assert await Orders(system, DRAIN).add_route(served) is comes  # type: ignore[arg-type]
    assert (system.find("root/new") is not None) is comes


async def test_a_route_goes_once_it_has_nothing_in_hand(system: System) -> None:
    """Its name is gone already; who had looked it up before comes in time yet."""
    orders = Orders(system, DRAIN)
    in_hand = asyncio.create_task(system.ref("root/chat").ask(HELLO, timeout=200))
    await asyncio.sleep(1)
    going = asyncio.create_task(orders.retire_route(_Route("chat", None, {})))  # type: ignore[arg-type]
    assert (await in_hand).model_used == "a"
    late = await system.ref("root/chat").ask(HELLO, timeout=200)
    assert (late.model_used, going.done()) == ("a", False)
    await going
    with pytest.raises(NoSuchActor):
        system.ref("root/chat")


class _Route:
    """Be as much of a served route as orders look at."""

    def __init__(self, id: str, spec: object, candidates: dict[str, Candidate]) -> None:
        self.id = id
        self.spec = spec
        self.candidates = candidates
