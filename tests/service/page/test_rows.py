"""The tree as a table: of real trees, a row for each actor."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from failsoft.actors import Actor, System, handles
from failsoft.messages import GenerateText, TextReply, Usage
from failsoft.service.page.rows import Row, rows_of, shortened
from failsoft.supervisors import (
    ChildSpec,
    DrainCandidate,
    ForceBreaker,
    TerminateChild,
    candidate,
    child,
    router,
    supervisor,
)

pytestmark = pytest.mark.anyio


class Answering(Actor):
    """Answer each text with the same word."""

    @handles(GenerateText)
    def generate(self, _request: GenerateText) -> TextReply:
        return TextReply("yes", "stop", Usage(1, 1))


class Loading(Answering):
    """Be a model that has read a half, for ever."""

    async def on_start(self) -> None:
        self.context.defer_ready()

    def inspect(self) -> dict[str, Any]:
        return {"model_state": "loading", "loaded_bytes": 50, "total_bytes": 100, "tokens": 0}


class Fragile(Actor):
    """Fail at the first question what it is."""

    def inspect(self) -> dict[str, Any]:
        raise RuntimeError("not now")


async def rows(system: System, *specs: ChildSpec, **rates: float) -> dict[str, Row]:
    if specs:
        tree = supervisor("root", *specs)
        await system.spawn(tree.start, tree.id)
    told = rows_of(system.tree(), rates, system.clock.now())
    return {row.path.removeprefix("root/"): row for row in told}


async def test_parents_come_first_and_children_in_the_order_of_their_specs(system: System) -> None:
    """That one was restarted, and so is the last one to have come, changes nothing."""
    text = router("text", candidate("a", Answering), candidate("b", Answering))
    await rows(system, child("notes", Answering), text)
    await system.ref("root/text").ask(TerminateChild("a"))
    told = await rows(system)
    assert [(row.path, row.depth, row.role) for row in told.values()] == [
        ("root", 0, "supervisor"),
        ("root/notes", 1, "actor"),
        ("root/text", 1, "router"),
        ("root/text/a", 2, "model"),
        ("root/text/b", 2, "model"),
    ]


async def test_a_child_that_was_stopped_has_a_row_yet(system: System) -> None:
    """So that it can be started again."""
    await rows(system, router("text", candidate("a", Answering), candidate("b", Answering)))
    await system.ref("root/text").ask(TerminateChild("a"))
    told = await rows(system)
    assert (told["text/a"].state, told["text/a"].is_usable) == ("stopped", False)
    assert (told["text/a"].circuit, told["text"].answers_with) == ("closed", "b")


async def test_what_its_router_knows_is_in_a_candidates_row(system: System) -> None:
    """Its circuit, and what it has in hand."""
    text = router("text", candidate("a", Answering), candidate("b", Answering, breaker=None))
    await rows(system, text)
    await system.ref("root/text").ask(ForceBreaker("a", "open"))
    told = await rows(system)
    a, b = told["text/a"], told["text/b"]
    assert (a.circuit, a.forced, a.retry_at, a.takes_requests) == ("open", "open", None, False)
    assert (a.is_candidate, a.running, a.waiting) == (True, 0, 0)
    assert (b.circuit, b.takes_requests) == ("closed", True)


async def test_without_a_breaker_there_is_no_circuit(system: System) -> None:
    """It isn't closed, it isn't there."""
    text = router("text", candidate("a", Answering), breaker=None)
    assert (await rows(system, text))["text/a"].circuit == ""


async def test_a_drained_candidate_is_seen_to_be(system: System) -> None:
    """Though it is as ready as before."""
    await rows(system, router("text", candidate("a", Answering), candidate("b", Answering)))
    await system.ref("root/text").ask(DrainCandidate("a"))
    a = (await rows(system))["text/a"]
    assert (a.state, a.is_usable) == ("draining", False)


async def test_how_far_a_model_is_loaded(system: System) -> None:
    """From 0 to 1, and whether it is its first load."""
    row = (await rows(system, child("m", Loading), **{"root/m": 12.5}))["m"]
    assert (row.state, row.loaded, row.is_first_load, row.is_usable) == (
        "loading",
        0.5,
        True,
        False,
    )
    assert (row.role, row.tokens_per_second) == ("model", 12.5)


async def test_an_actor_that_fails_to_show_itself_says_so(system: System) -> None:
    """The others are shown all the same."""
    told = await rows(system, child("fragile", Fragile), child("notes", Answering))
    assert told["fragile"].trouble == "RuntimeError: not now"
    assert told["notes"].state == "running"


class Talkative(Actor):
    """Show what has the names of other things."""

    def inspect(self) -> dict[str, Any]:
        return {"children": 3, "waiting": "for Godot", "total_bytes": "many", "tokens": None}


async def test_an_actor_may_show_whatever_it_likes(system: System) -> None:
    """It is no supervisor and no model for it."""
    row = (await rows(system, child("notes", Talkative)))["notes"]
    assert (row.role, row.waiting, row.loaded) == ("actor", 0, None)


async def test_what_is_as_always_is_left_out(system: System) -> None:
    """A picture of a hundred actors is sent each second."""
    row = (await rows(system, child("notes", Answering)))["notes"]
    assert set(msgspec.to_builtins(row)) == {"path", "depth", "role", "kind", "state", "since"}


def row(path: str) -> Row:
    return Row(path=path, depth=path.count("/"), role="actor", state="running")


async def test_a_large_tree_is_shortened() -> None:
    """Of one parent so many are shown, and so many in all; it is told how many aren't."""
    crowd = [row(f"root/crowd/{number}") for number in range(10)]
    below = [row(f"root/crowd/9/{number}") for number in range(3)]
    all_rows = [row("root"), row("root/crowd"), *crowd, *below, row("root/last")]
    told = shortened(all_rows, most=100, of_one=4)
    assert [(each.path, each.more) for each in told if each.depth < 2] == [
        ("root", 0),
        ("root/crowd", 6),
        ("root/last", 0),
    ]
    assert len(told) == 3 + 4
    assert [each.more for each in shortened(all_rows, most=5, of_one=50)] == [1, 7, 0, 0, 0]
    assert shortened(all_rows, most=100, of_one=50) == all_rows
