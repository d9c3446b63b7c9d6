"""Lineups: a route and its models, by themselves; and what differs between two of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from failsoft.service.config.models import ModelConfig
from failsoft.service.config.routes import RouteConfig
from failsoft.service.config.sections import TreeConfig

# What is read again at a reload; of all else only a restart of the service takes note.
_RELOADED = ("models", "routes")


class Lineup(msgspec.Struct, frozen=True):
    """Hold a route with its models, the preferred one first."""

    route: RouteConfig
    models: dict[str, ModelConfig]

    @property
    def answers(self) -> type:
        """Give the type of request that it takes."""
        return next(iter(self.models.values())).answers

    def is_same_router(self, other: Lineup) -> bool:
        """Tell whether the two differ in their models and their callers' names alone."""
        plain = [
            msgspec.structs.replace(each.route, models=("",), aliases=()) for each in (self, other)
        ]
        return plain[0] == plain[1] and self.answers is other.answers


class Newcomer(msgspec.Struct, frozen=True):
    """Name what is loaded for a lineup: a model of it, or None: its router with all its models."""

    route: str
    lineup: Lineup
    model: str | None = None

    def is_in(self, lineups: Mapping[str, Lineup]) -> bool:
        """Tell whether it is a part of these lineups, too, just as it is."""
        other = lineups.get(self.route)
        if other is None or not other.is_same_router(self.lineup):
            return False
        models = self.lineup.models
        names = models if self.model is None else (self.model,)
        return all(models[name] == other.models.get(name) for name in names)


class Change(msgspec.Struct, frozen=True):
    """Tell what becomes of a route that is there before and after.

    is_replaced: its router is another one, and so are all models of it.
    added, removed, changed: its models. is_reordered: those that stay are in another order.
    """

    is_replaced: bool = False
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    is_reordered: bool = False


class Difference(msgspec.Struct, frozen=True):
    """Tell what there is to do.

    added, removed: routes. changed: of the others, those that differ. renamed: routes whose aliases
    differ. needs_restart: sections that differ, of which a reload takes no note.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: dict[str, Change]
    renamed: tuple[str, ...]
    needs_restart: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """Say it in words, a line each."""
        for word, names in (("added", self.added), ("removed", self.removed)):
            yield from (f"routes.{name}: is {word}" for name in names)
        for name, change in self.changed.items():
            if change.is_replaced:
                yield f"routes.{name}: its router is replaced, with all its models"
            for word in ("added", "removed", "changed"):
                yield from (f"routes.{name}: {each} is {word}" for each in getattr(change, word))
            if change.is_reordered:
                yield f"routes.{name}: its models are in another order"
        yield from (f"routes.{name}: its aliases are changed" for name in self.renamed)
        yield from (f"{name}: takes a restart of the service" for name in self.needs_restart)


def lineups(tree: TreeConfig) -> dict[str, Lineup]:
    """Give the lineup of each route."""
    return {
        name: Lineup(route, {each: tree.models[each] for each in route.models})
        for name, route in tree.routes.items()
    }


def difference(
    running: Mapping[str, Lineup], wanted: Mapping[str, Lineup], needs_restart: tuple[str, ...] = ()
) -> Difference:
    """Tell what leads from the lineups that run to those that are wanted."""
    both = [name for name in running if name in wanted]
    changes = {name: change_of(running[name], wanted[name]) for name in both}
    return Difference(
        added=tuple(name for name in wanted if name not in running),
        removed=tuple(name for name in running if name not in wanted),
        changed={name: change for name, change in changes.items() if change != Change()},
        renamed=tuple(
            name for name in both if running[name].route.aliases != wanted[name].route.aliases
        ),
        needs_restart=needs_restart,
    )


def change_of(running: Lineup, wanted: Lineup) -> Change:
    """Tell what becomes of one route."""
    if not running.is_same_router(wanted):
        return Change(is_replaced=True)
    before, after = running.models, wanted.models
    stay = [name for name in before if name in after]
    return Change(
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        changed=tuple(name for name in stay if before[name] != after[name]),
        is_reordered=stay != [name for name in after if name in before],
    )


def sections_that_need_a_restart(running: TreeConfig, wanted: TreeConfig) -> tuple[str, ...]:
    """Give the sections that differ and aren't read again."""
    sections = [name for name in TreeConfig.__struct_fields__ if name not in _RELOADED]
    return tuple(name for name in sections if getattr(running, name) != getattr(wanted, name))
