"""Telemetry's actors, wherever they are in the tree."""

from __future__ import annotations

from typing import TypeVar

from failsoft.actors import ActorError, Ref, System, TreeNode
from failsoft.messages import InferenceError, Request
from failsoft.telemetry.probes import nodes

AnswerT = TypeVar("AnswerT")


def find_actor(system: System, kind: str, tree: tuple[TreeNode, ...]) -> Ref | None:
    """Give the first actor of that class; None where there is none, or it is down."""
    path = next((node.path for node in nodes(tree) if node.kind == kind), None)
    return None if path is None else system.find(path)


async def ask_actor(
    system: System, tree: tuple[TreeNode, ...], kind: str, request: Request[AnswerT], limit: float
) -> AnswerT | None:
    """Ask it; None where there is none, or it doesn't answer within ``limit`` seconds."""
    ref = find_actor(system, kind, tree)
    try:
        return None if ref is None else await ref.ask(request, timeout=limit)
    except (ActorError, InferenceError):
        return None  # it is being restarted, or worse
