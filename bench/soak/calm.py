"""Calm: whether all that the tree is to have is there, at rest, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from failsoft.actors import TreeNode

# Of bench/soak/tree.toml: a model is loaded once for each route that names it.
MODELS: Final = 7
WORKERS: Final = 8  # one stands by


def restless(tree: Iterable[TreeNode], workers: int) -> tuple[str, ...]:
    """Give what isn't at rest. workers: the processes that there are."""
    shown = [node for top in tree for node in top.walk() if "model_state" in node.shows]
    found = [
        f"{node.path} is {node.shows['model_state']}"
        for node in shown
        if node.shows["model_state"] != "ready"
    ]
    spares = [node.shows.get("standby") for node in shown]
    found += [f"a spare is {spare}" for spare in spares if spare not in (None, "ready")]
    if len(shown) != MODELS:
        found.append(f"{len(shown)} models, not {MODELS}")
    if workers != WORKERS:
        found.append(f"{workers} workers, not {WORKERS}")
    return tuple(found)
