"""Where telemetry's actors are, in whatever tree."""

from __future__ import annotations

from failsoft.actors import Ref, System, TreeNode
from failsoft.telemetry.probes import nodes


def find_actor(system: System, kind: str, tree: tuple[TreeNode, ...]) -> Ref | None:
    """Give the first actor of that class; None where there is none, or it is down."""
    path = next((node.path for node in nodes(tree) if node.kind == kind), None)
    return None if path is None else system.find(path)
