"""What is wrong with a tree is told at the line where it is written."""

from __future__ import annotations

import pytest

from failsoft.actors import Actor, StartFailed, System
from failsoft.supervisors import (
    DuplicateChild,
    Supervisor,
    candidate,
    child,
    router,
    supervisor,
)


def test_bad_specs_are_told_where_they_are_made() -> None:
    """SV-12 A factory that is none, an actor in its place, a class that is no Actor."""
    with pytest.raises(TypeError, match="start of 'a' must make an actor each time"):
        child("a", Actor())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="start of 'a'"):
        child("a", None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="'a' must make an Actor; dict is none"):
        child("a", dict)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"child\(id, start\)"):
        supervisor("s", Actor)  # type: ignore[arg-type]


def test_an_unknown_strategy_is_told_where_it_is_written() -> None:
    """SV-12 With those that there are."""
    with pytest.raises(ValueError, match="one_for_one.*rest_for_one.*: 'all'"):  # noqa: RUF043
        supervisor("s", strategy="all")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one_for_one"):
        Supervisor([], strategy="all")  # type: ignore[arg-type]


def test_an_id_that_is_there_twice_is_told_where_it_is_written() -> None:
    """SV-12 Before there is any system; of routers too."""
    with pytest.raises(DuplicateChild, match="'a'; rename one"):
        supervisor("s", child("a", Actor), child("b", Actor), child("a", Actor))
    with pytest.raises(DuplicateChild):
        router("r", candidate("a", Actor), candidate("a", Actor))


@pytest.mark.anyio
async def test_a_factory_that_gives_no_actor_fails_the_start(system: System) -> None:
    """SV-12 By its path; that can't be known before it is called."""
    spec = supervisor("root", child("a", lambda: 5))  # type: ignore[arg-type,return-value]
    with pytest.raises(StartFailed, match="the factory of root/a gave no Actor but: 5"):
        await system.spawn(spec.start, spec.id)


@pytest.mark.anyio
async def test_an_actor_that_ends_itself_in_on_start_is_told_so(system: System) -> None:
    """RT-14 There is nothing to end yet: to raise is to fail to start."""

    class Hasty(Actor):
        async def on_start(self) -> None:
            self.context.exit()

    spec = supervisor("root", child("a", Hasty))
    with pytest.raises(StartFailed, match="root/a can't end itself in on_start.*raise"):  # noqa: RUF043
        await system.spawn(spec.start, spec.id)
