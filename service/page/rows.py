"""Rows: the tree as a table, a row for each actor, with what an operator asks first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from failsoft.actors import TreeNode
from failsoft.telemetry.probes import candidates_of

# What a page can show, and a person can read.
MOST_ROWS: Final = 500
MOST_OF_ONE: Final = 50

Role = Literal["supervisor", "router", "model", "actor"]


class Row(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Show one actor. Times are in seconds, on the system's clock.

    depth: under how many others it is. kind: its class. state: of a model its readiness state,
    else the actor's; ``stopped`` where an operator or its end had it stopped for good.
    is_usable: requests may be sent to it, as far as it goes by itself.
    since: when this incarnation began, or the last one ended.
    loaded: how much of a model has been read, from 0 to 1.
    until: when its supervisor starts it again.
    waiting, running: requests, or for an actor without requests messages that wait.
    circuit: in front of a candidate; forced: to what an operator holds it; retry_at: when it lets
    a request through again. answers_with: of a router, the candidate that a request goes to now.
    spare: how far a model's second worker is. trouble: what a model elsewhere tells.
    more: how many children aren't shown.
    """

    path: str
    depth: int
    role: Role
    kind: str = ""
    state: str
    is_usable: bool = True
    is_first_load: bool = False
    since: float | None = None
    restarts: int = 0
    waiting: int = 0
    running: int = 0
    tokens_per_second: float | None = None
    loaded: float | None = None
    until: float | None = None
    is_candidate: bool = False
    circuit: str = ""
    forced: str = ""
    retry_at: float | None = None
    answers_with: str = ""
    quarantined: int = 0
    model: str = ""
    spare: str = ""
    trouble: str = ""
    memory_bytes: int = 0
    device_bytes: int = 0
    more: int = 0

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def parent(self) -> str:
        return self.path.rpartition("/")[0]

    @property
    def takes_requests(self) -> bool:
        """Tell whether its router sends requests to it."""
        return self.is_usable and self.circuit != "open"


def rows_of(tree: Sequence[TreeNode], rates: Mapping[str, float], now: float) -> tuple[Row, ...]:
    """Give all rows, parents first, children in the order of their specs."""
    return tuple(row for top in tree for row in _branch(top, 0, None, rates, now))


def shortened(rows: Sequence[Row], most: int = MOST_ROWS, of_one: int = MOST_OF_ONE) -> list[Row]:
    """Give as many as can be shown: of one parent so many, and so many in all."""
    shown: list[Row] = []
    left_out: dict[str, int] = {}
    children: dict[str, int] = {}
    known: set[str] = set()
    for row in rows:
        is_below_shown = row.depth == 0 or row.parent in known
        taken = children.get(row.parent, 0)
        if not is_below_shown:
            continue
        if len(shown) >= most or taken >= of_one:
            left_out[row.parent] = left_out.get(row.parent, 0) + 1
            continue
        children[row.parent] = taken + 1
        known.add(row.path)
        shown.append(row)
    return [
        msgspec.structs.replace(row, more=left_out[row.path]) if row.path in left_out else row
        for row in shown
    ]


def _branch(
    node: TreeNode,
    depth: int,
    candidate: Mapping[str, Any] | None,
    rates: Mapping[str, float],
    now: float,
) -> Iterator[Row]:
    yield _row(node, depth, candidate, rates, now)
    candidates: Mapping[str, Any] = candidates_of(node) or {}
    places = _places(node)
    below = {child.name: child for child in node.children}
    for id in dict.fromkeys((*places, *below)):
        info = candidates.get(id)
        if id in below:
            yield from _branch(below[id], depth + 1, info, rates, now)
        else:
            # It was stopped, so it has no place; its supervisor still knows it.
            yield _candidate(
                Row(
                    path=f"{node.path}/{id}",
                    depth=depth + 1,
                    role="actor" if info is None else "model",
                    state=places[id]["phase"],
                    is_usable=False,
                ),
                info,
                now,
            )


def _places(node: TreeNode) -> Mapping[str, Any]:
    """Give what a supervisor shows of its children, those without a place in the tree as well."""
    match node.shows:
        case {"strategy": _, "children": dict(places)}:
            return places
        case _:
            return {}


def _row(
    node: TreeNode,
    depth: int,
    candidate: Mapping[str, Any] | None,
    rates: Mapping[str, float],
    now: float,
) -> Row:
    shows = node.shows
    # What an actor of somebody's own shows may have the same names, and mean anything.
    of_model = shows if "model_state" in shows else {}
    of_router = {} if candidates_of(node) is None else shows
    state = of_model.get("model_state", node.state)
    is_loading = state in ("starting", "loading", "warming")
    total = of_model.get("total_bytes", 0)
    row = Row(
        path=node.path,
        depth=depth,
        role=_role(node, candidate),
        kind=node.kind,
        state=state,
        is_usable=node.is_ready and node.state == "running",
        is_first_load=is_loading and node.restarts == 0 and node.handled == 0,
        since=round(node.since, 2),
        restarts=node.restarts,
        waiting=of_model.get("waiting", node.work_depth),
        running=of_model.get("running", of_router.get("in_hand", 0)),
        tokens_per_second=rates.get(node.path),
        loaded=round(of_model.get("loaded_bytes", 0) / total, 3) if is_loading and total else None,
        until=None if node.waiting_until is None else round(node.waiting_until, 2),
        answers_with=of_router.get("answers_with") or "",
        quarantined=of_router.get("quarantined", 0),
        model=str(of_model.get("model", "")),
        spare=of_model.get("standby") or "",
        trouble=of_model.get("trouble") or shows.get("inspect_failed") or "",
        # In steps, so that a page that shows nothing new isn't sent.
        memory_bytes=_rounded(of_model.get("rss_bytes", 0)),
        device_bytes=_rounded(of_model.get("device_bytes", 0)),
    )
    return _candidate(row, candidate, now)


def _candidate(row: Row, info: Mapping[str, Any] | None, now: float) -> Row:
    """Give the row with what its router knows of it."""
    if info is None:
        return row
    retry_after = info["retry_after"] if info["circuit"] == "open" and not info["forced"] else 0
    return msgspec.structs.replace(
        row,
        state="draining" if info["is_drained"] and row.is_usable else row.state,
        is_candidate=True,
        is_usable=row.is_usable and info["is_ready"],
        waiting=info["waiting"],
        running=info["in_flight"],
        circuit="" if info["circuit"] == "none" else info["circuit"],
        forced=info["forced"] or "",
        retry_at=round(now + retry_after, 1) if retry_after else None,
    )


def _role(node: TreeNode, candidate: Mapping[str, Any] | None) -> Role:
    if candidates_of(node) is not None:
        return "router"
    if "model_state" in node.shows or candidate is not None:
        return "model"
    return "supervisor" if "strategy" in node.shows else "actor"


def _rounded(memory: int) -> int:
    return memory >> 20 << 20
