"""Pictures for all who look, together; none while nobody does."""

from __future__ import annotations

import contextlib
import json

import pytest

from failsoft.actors import Actor, System, handles
from failsoft.messages import GenerateText, ModelOverloaded, TextReply, Usage
from failsoft.service.http import failsoft_app
from failsoft.service.http.sampler import Sampler
from failsoft.supervisors import candidate, router, supervisor

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


class Answering(Actor):
    @handles(GenerateText)
    def generate(self, _request: GenerateText) -> TextReply:
        return TextReply("yes", "stop", Usage(1, 1))


@pytest.fixture
async def sampler(system: System) -> Sampler:
    tree = supervisor("root", router("text", candidate("a", Answering)))
    await system.spawn(tree.start, tree.id)
    return Sampler(failsoft_app(system, routes={"text": "root/text"}).gateway)


async def test_all_who_look_share_one_picture(sampler: Sampler) -> None:
    """Within a quarter of a second it is the same one, for any number of pages."""
    first = await sampler.take()
    assert await sampler.take() is first
    await sampler.wait(first)
    second = await sampler.take()
    assert second is not first
    assert second.number == first.number  # nothing has changed, so nobody is sent anything
    assert json.loads(second.body)["models"] == ["text"]


async def test_what_happens_wakes_those_who_look(sampler: Sampler, system: System) -> None:
    """They needn't wait for a second to be over."""
    with sampler.looks():
        first = await sampler.take()
        system.clock.call_at(first.at + 0.3, lambda: sampler._gateway.history.note("root", "x", 0))
        await sampler.wait(first)
        assert system.clock.now() == pytest.approx(first.at + 0.3, abs=0.01)
        assert (await sampler.take()).number == first.number + 1


async def test_so_many_may_look_at_a_time(sampler: Sampler) -> None:
    """One more is refused, with words."""
    with contextlib.ExitStack() as pages:
        for _ in range(64):
            pages.enter_context(sampler.looks())
        with pytest.raises(ModelOverloaded, match="64 live pages are open"):
            pages.enter_context(sampler.looks())
    assert sampler.looking == 0


async def test_a_tree_that_does_not_run_is_told() -> None:
    """And why there is nothing to show."""
    gateway = failsoft_app(supervisor("root", router("text", candidate("a", Answering)))).gateway
    sampled = await Sampler(gateway).take()
    assert sampled.name == "no_tree"
    assert "isn't running" in json.loads(sampled.body)["says"]
