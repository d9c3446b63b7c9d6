"""Trouble: what is broken, since when, for whom, why, and what the tree does about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal

import msgspec

from failsoft.service.page.history import Happening
from failsoft.service.page.rows import Row

Level = Literal["broken", "mending", "notice"]
Ails = Callable[[str], Happening | None]

_MOST: Final = 10
_ORDER: Final = {"broken": 0, "mending": 1, "notice": 2}
_MEANT: Final = frozenset(("draining", "stopped"))
_DOWN: Final = frozenset(("down", "closed", "failed"))


class Trouble(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Tell of one thing that isn't as it should be. Times are in seconds, on the system's clock.

    level: ``broken`` where callers notice, ``mending`` where the tree makes up for it, ``notice``
    for what is worth knowing. path: of what; what: is the matter with it. for_whom: who notices.
    done: what the tree does about it; until: when, where that is known.
    """

    level: Level
    path: str
    what: str
    since: float | None = None
    why: str = ""
    for_whom: str = ""
    done: str = ""
    until: float | None = None


def worst_first(*troubles: Trouble) -> tuple[Trouble, ...]:
    """Give the worst, in order; those that are equally bad stay in theirs."""
    return tuple(sorted(troubles, key=lambda trouble: _ORDER[trouble.level])[:_MOST])


def troubles_of(rows: Sequence[Row], what_ails: Ails) -> Iterator[Trouble]:
    """Give all that is wrong in the tree, in its order.

    what_ails: gives the failure of an actor, or its circuit's opening, that isn't over.
    """
    candidates: dict[str, list[Row]] = {}
    for row in rows:
        if row.is_candidate:
            candidates.setdefault(row.parent, []).append(row)
    for row in rows:
        if row.path in candidates:
            yield from _of_route(row, candidates[row.path], what_ails)
        elif not row.is_candidate and (row.state in _DOWN or row.role == "model"):
            yield from _of_actor(row, what_ails)


def _of_route(router: Row, models: list[Row], what_ails: Ails) -> Iterator[Trouble]:
    answering = next((model for model in models if model.takes_requests), None)
    if answering is None:
        yield _without_model(router, models, what_ails)
        return
    for model in models:
        if not model.takes_requests:
            yield _of_candidate(model, answering.name, what_ails)


def _without_model(router: Row, models: list[Row], what_ails: Ails) -> Trouble:
    """Tell of a router that has nobody to ask."""
    if all(model.is_first_load for model in models):
        return Trouble(
            level="notice",
            path=router.path,
            what="starts",
            since=router.since,
            for_whom=f"requests for {router.name} wait",
            done=f"{_listed(models)} {'loads' if len(models) == 1 else 'load'}",
        )
    failures = [what_ails(model.path) for model in models]
    began = [_since(*pair) for pair in zip(models, failures, strict=True)]
    next_up = min((model for model in models), key=lambda model: _next(model) or float("inf"))
    return Trouble(
        level="broken",
        path=router.path,
        what="has no model to ask",
        since=max((at for at in began if at is not None), default=None),
        why="; ".join(
            f"{model.name} {_what(model)}{': ' + failure.says if failure else ''}"
            for model, failure in zip(models, failures, strict=True)
        ),
        for_whom=f"requests for {router.name} wait, or fail",
        done=f"{next_up.name} {_remedy(next_up)}",
        until=_next(next_up),
    )


def _of_candidate(model: Row, stand_in: str, what_ails: Ails) -> Trouble:
    failure = what_ails(model.path)
    is_meant = (
        model.forced == "open" or model.state in ("stopped", "draining") or model.is_first_load
    )
    return Trouble(
        level="notice" if is_meant else "mending",
        path=model.path,
        what=_what(model),
        since=_since(model, failure),
        why="" if failure is None else failure.says,
        for_whom=f"requests go to {stand_in}",
        done="" if model.is_first_load else f"{model.name} {_remedy(model)}",
        until=_next(model),
    )


def _of_actor(row: Row, what_ails: Ails) -> Iterator[Trouble]:
    """Tell of an actor that isn't up, or a model that no router is in front of."""
    if row.is_usable:
        return
    failure = what_ails(row.path)
    is_model = row.role == "model"
    is_worst = row.depth == 0 or (is_model and not row.is_first_load)
    yield Trouble(
        level="broken" if is_worst else "notice" if row.is_first_load else "mending",
        path=row.path,
        what=_what(row),
        since=_since(row, failure),
        why=failure.says if failure is not None else row.trouble,
        for_whom=f"requests for {row.name} wait, or fail" if is_model else "",
        done="" if row.is_first_load else f"it {_remedy(row)}",
        until=_next(row),
    )


def _what(row: Row) -> str:
    match row.state:
        case "ready" | "busy" | "running" if row.circuit == "open":
            return "is held out of use" if row.forced else "is out of use, its circuit open"
        case "ready" | "busy" | "running":
            return "takes no work"
        case "starting" | "loading" | "warming" if row.is_first_load:
            return "loads for the first time"
        case "starting" | "loading" | "warming":
            return "loads anew"
        case "draining" | "stopping":
            return "takes no more requests"
        case "closed":
            return "has ended"
        case state:
            return f"is {state}"


def _remedy(row: Row) -> str:
    if row.forced == "open" and row.is_usable:
        return "waits for an operator to let go of its circuit"
    if row.circuit == "open" and row.is_usable:
        return "gets a trial request"
    match row.state:
        case "stopped":
            return "stays so until an operator restarts it"
        case "draining" | "stopping":
            return "finishes what it has in hand"
        case "starting" | "loading" | "warming":
            return "answers once it has loaded"
        case "ready" | "busy" | "running":
            return f"says why: {row.trouble}" if row.trouble else "is waited for"
        case "closed":
            return "isn't started again"
        case _:
            return "starts again"


def _next(row: Row) -> float | None:
    return row.until if row.until is not None else row.retry_at


def _since(row: Row, failure: Happening | None) -> float | None:
    return row.since if failure is None else failure.at


def _listed(rows: list[Row]) -> str:
    names = [row.name for row in rows]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
