"""Liveness, readiness and start-up: three answers, each read from the tree as it is now.

A model that loads is alive and not ready. Pure: a picture of the tree in, an answer out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from failsoft.actors import TreeNode

Tree = tuple[TreeNode, ...]

_LOADS: Final = frozenset(("starting", "loading", "warming"))
_MOST_REASONS: Final = 5


class Probe(msgspec.Struct, frozen=True):
    """Answer one question. reasons: why not, where it isn't so."""

    ok: bool
    reasons: tuple[str, ...] = ()


def nodes(tree: Tree) -> Iterator[TreeNode]:
    """Give all actors of the tree, parents first."""
    for top in tree:
        yield from top.walk()


def candidates_of(node: TreeNode) -> dict[str, Any] | None:
    """Give what a router shows of its candidates, by id; None for any other actor.

    An actor of somebody's own may show anything by the same name.
    """
    match node.shows:
        case {"strategy": _, "candidates": dict(candidates)}:
            return candidates
        case _:
            return None


def degradation(tree: Tree) -> tuple[str, float | None]:
    """Give the level that the load allows, and that load, from 0 to 1; None where none is known."""
    told = (degradation_of(node) for node in nodes(tree))
    return next((each for each in told if each is not None), ("full", None))


def degradation_of(node: TreeNode) -> tuple[str, float | None] | None:
    """Give what a load actor shows; None for any other actor."""
    match node.shows:
        case {"degradation_level": str(level), "load": float() | None as load}:
            return level, load
        case _:
            return None


def model_states(tree: Tree) -> dict[str, str]:
    """Give the readiness state of each model, by path; ``down`` is between incarnations."""
    told: dict[str, str] = {}
    for node in nodes(tree):
        # Parents come first: what is below says better, where there is anything below.
        for id in candidates_of(node) or ():
            told[f"{node.path}/{id}"] = "down"
        if node.path in told or "model_state" in node.shows:
            told[node.path] = node.shows.get("model_state", node.state)
    return told


def liveness(tree: Tree) -> Probe:
    """Tell whether the actors at the top live. That this is told shows that the loop turns."""
    return _because(f"{top.path} is {top.state}" for top in tree if top.state in ("down", "closed"))


def readiness(tree: Tree) -> Probe:
    """Tell whether each router, and each supervisor of models without one, has a model to ask."""
    stopping = [f"{top.path} is stopping" for top in tree if top.state == "stopping"]
    starting = [f"{top.path} is starting" for top in tree if top.state == "starting"]
    lacking = (_why_not(path, models) for path, models in _routes(tree).items())
    return _because((*stopping, *starting, *(words for words in lacking if words)))


def first_start(tree: Tree) -> Probe:
    """Tell whether the tree is up, and each model's first load has ended, well or not."""
    return _because(
        f"{node.path} is {node.shows.get('model_state', node.state)} for the first time"
        for node in nodes(tree)
        if loads_first(node)
    )


def is_up(tree: Tree) -> bool:
    """Tell whether the whole tree runs: it neither starts nor stops."""
    return all(top.state == "running" for top in tree)


def loads_first(node: TreeNode) -> bool:
    """Tell whether the actor has yet to start, or is a model that was never ready nor failed."""
    is_new = node.restarts == 0 and node.handled == 0
    return is_new and (node.state == "starting" or node.shows.get("model_state") in _LOADS)


def routes_in_trouble(tree: Tree) -> tuple[str, ...]:
    """Tell of the routes that have no model to ask, though none is on its first load."""
    return tuple(
        words
        for path, models in _routes(tree).items()
        if (words := _why_not(path, models)) and not any(map(loads_first, models))
    )


def _routes(tree: Tree) -> dict[str, list[TreeNode]]:
    """Give what requests go to: routers that are under no other, and models without a router."""
    found: dict[str, list[TreeNode]] = {}

    def look(node: TreeNode, parent: str) -> None:
        if candidates_of(node) is not None:
            found[node.path] = list(node.walk())
        elif "model_state" in node.shows:
            found.setdefault(parent, []).append(node)
        else:
            for child in node.children:
                look(child, node.path)

    for top in tree:
        look(top, top.path)
    return found


def _why_not(path: str, models: list[TreeNode]) -> str:
    """Say why nothing there takes requests; empty where something does."""
    first = models[0]
    candidates = candidates_of(first)
    if candidates is None:
        is_fine = any(model.is_ready for model in models)
        states = {model.name: model.shows["model_state"] for model in models}
    else:
        states = {id: _state(info, first.path, models) for id, info in candidates.items()}
        is_fine = first.is_ready and "" in states.values()
    said = ", ".join(f"{name} is {state}" for name, state in states.items() if state)
    return "" if is_fine else f"{path} has no model to ask: {said or 'it has none'}"


def _state(info: dict[str, object], router: str, below: list[TreeNode]) -> str:
    """Say why a candidate isn't asked; empty where it is."""
    if info["is_ready"]:
        return "" if info["circuit"] != "open" else "refused by its open circuit"
    node = next((node for node in below if node.path == f"{router}/{info['id']}"), None)
    return "down" if node is None else str(node.shows.get("model_state", node.state))


def _because(reasons: Iterable[str]) -> Probe:
    found = tuple(reasons)
    return Probe(not found, shortened(found))


def shortened(reasons: tuple[str, ...]) -> tuple[str, ...]:
    """Give the first few, and how many more there are: a large tree may have thousands."""
    more = len(reasons) - _MOST_REASONS
    return reasons if more <= 0 else (*reasons[:_MOST_REASONS], f"and {more} more")
