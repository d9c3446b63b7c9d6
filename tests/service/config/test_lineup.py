"""What differs between two lineups, and what a served route is after a change. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from failsoft.service.config.lineup import (
    Change,
    Lineup,
    Newcomer,
    change_of,
    difference,
    sections_that_need_a_restart,
)
from failsoft.service.config.models import EmbeddingModel, ScriptedModel
from failsoft.service.config.routes import RouteConfig
from failsoft.service.config.secret import Secrets
from failsoft.service.config.sections import LoggingConfig, ServiceConfig, TreeConfig
from failsoft.service.config.served_route import ServedRoute
from failsoft.supervisors import Backoff

A, B, C = (ScriptedModel(queue_limit=limit) for limit in (1, 2, 3))


def lineup(aliases: tuple[str, ...] = (), retries: int = 0, **models: ScriptedModel) -> Lineup:
    return lineup_of(models, aliases, retries)


def lineup_of(
    models: Mapping[str, ScriptedModel], aliases: tuple[str, ...] = (), retries: int = 0
) -> Lineup:
    route = RouteConfig(models=tuple(models), aliases=aliases, retries=retries)
    return Lineup(route, dict(models))


@pytest.mark.parametrize(
    ("loading", "wanted", "is_wanted"),
    [
        (Newcomer("chat", lineup(a=A, b=B), "a"), {"chat": lineup(a=A, b=C)}, True),
        (Newcomer("chat", lineup(a=A, b=B), "b"), {"chat": lineup(a=A, b=C)}, False),
        (Newcomer("chat", lineup(a=A, b=B), "b"), {"chat": lineup(a=A)}, False),
        (Newcomer("chat", lineup(a=A), "a"), {"chat": lineup(a=A, retries=1)}, False),
        (Newcomer("chat", lineup(a=A), "a"), {"talk": lineup(a=A)}, False),
        (Newcomer("chat", lineup(a=A, b=B)), {"chat": lineup(b=B, a=A, c=C)}, True),
        (Newcomer("chat", lineup(a=A, b=B)), {"chat": lineup(a=A, b=C)}, False),
    ],
)
def test_what_loads_is_wanted_where_it_would_be_loaded_just_so(
    loading: Newcomer, wanted: dict[str, Lineup], is_wanted: bool
) -> None:
    """SRV-09 Whatever else differs."""
    assert loading.is_in(wanted) is is_wanted


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (lineup(a=A), lineup(a=A), Change()),
        (lineup(a=A), lineup(a=B), Change(changed=("a",))),
        (lineup(a=A, b=B), lineup(b=B, a=A), Change(is_reordered=True)),
        (lineup(a=A, b=B), lineup(b=B, c=C), Change(added=("c",), removed=("a",))),
        (lineup(a=A, b=B), lineup(c=C, a=B, b=B), Change(added=("c",), changed=("a",))),
        (lineup(a=A), lineup(("x",), a=A), Change()),
        (lineup(a=A), lineup(a=A, retries=1), Change(is_replaced=True)),
        (
            lineup(a=A),
            Lineup(lineup(a=A).route, {"a": EmbeddingModel(source="m")}),
            Change(is_replaced=True),
        ),
    ],
)
def test_a_change_is_the_least_that_leads_there(
    before: Lineup, after: Lineup, change: Change
) -> None:
    """A router is replaced only where its own policy, or what it takes, differs."""
    assert change_of(before, after) == change


def test_a_difference_is_told_in_words() -> None:
    """A line each."""
    before = {"chat": lineup(a=A, b=B), "old": lineup(a=A), "talk": lineup(a=A)}
    after = {"chat": lineup(("x",), b=C, c=C), "new": lineup(a=A), "talk": lineup(a=A, retries=2)}
    assert list(difference(before, after, ("service",)).lines()) == [
        "routes.new: is added",
        "routes.old: is removed",
        "routes.chat: c is added",
        "routes.chat: a is removed",
        "routes.chat: b is changed",
        "routes.talk: its router is replaced, with all its models",
        "routes.chat: its aliases are changed",
        "service: takes a restart of the service",
    ]


def test_what_differs_besides_takes_a_restart() -> None:
    """All sections but models and routes."""
    tree = TreeConfig(models={"a": A}, routes={"chat": lineup(a=A).route})
    other = TreeConfig(
        models={"a": B},
        routes={"chat": RouteConfig(models=("a",), backoff=Backoff(base=2))},
        service=ServiceConfig(port=1),
        logging=LoggingConfig(level="error"),
    )
    assert sections_that_need_a_restart(tree, tree) == ()
    assert sections_that_need_a_restart(tree, other) == ("service", "logging")


def test_a_restart_of_a_router_takes_what_a_reload_made() -> None:
    """With the candidates, and their ids, that there are by then."""
    route = ServedRoute("chat", lineup(a=A, b=B), UNSET, Secrets({}, Path()))
    new = route.successor("a", C)
    assert (new.id, new.called) == ("a.2", "a")
    route.become(lineup(a=C), {"a": new}, ["b"])
    assert list(route.candidates) == ["a", "b"]
    assert route.lineup.models == {"a": C, "b": B}
    started = route.spec.start()
    assert [each.id for each in started._candidates] == ["a.2", "b"]  # type: ignore[attr-defined]
    assert route.successor("a", A).id == "a"


def test_a_model_that_did_not_come_is_as_it_was() -> None:
    """So that the next reload tries it once more."""
    route = ServedRoute("chat", lineup(a=A), UNSET, Secrets({}, Path()))
    wanted = lineup(a=B, c=C)
    route.become(wanted, {}, [])
    assert route.lineup.models == {"a": A}
    assert change_of(route.lineup, wanted) == Change(added=("c",), changed=("a",))


configs = st.builds(ScriptedModel, queue_limit=st.integers(1, 3))
lineups = st.dictionaries(st.sampled_from("abc"), configs, min_size=1).flatmap(
    lambda models: st.permutations(list(models.items())).map(lambda items: lineup_of(dict(items)))
)


@given(first=lineups, later=st.lists(st.tuples(lineups, st.sets(st.sampled_from("abc")))))
def test_however_often_it_is_changed_each_model_has_an_id_of_its_own(
    first: Lineup, later: list[tuple[Lineup, set[str]]]
) -> None:
    """Also where some of those that were to come failed; what came is as it was wanted."""
    route = ServedRoute("chat", first, UNSET, Secrets({}, Path()))
    for wanted, failing in later:
        change = change_of(route.lineup, wanted)
        new = [name for name in (*change.added, *change.changed) if name not in failing]
        come = {name: route.successor(name, wanted.models[name]) for name in new}
        present = {each.id for each in route.candidates.values()}
        assert not present & {each.id for each in come.values()}
        is_whole = len(new) == len(change.added) + len(change.changed)
        route.become(wanted, come, [] if is_whole else change.removed)
        ids = [each.id for each in route.candidates.values()]
        assert len(set(ids)) == len(ids)
        assert list(route.lineup.models) == list(route.candidates)
        assert [each.called for each in route.candidates.values()] == list(route.candidates)
        if is_whole:
            assert change_of(route.lineup, wanted) == Change()
            assert list(route.lineup.models) == list(wanted.models)
