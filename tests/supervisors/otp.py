"""A small model of OTP's supervisor, to hold ours against: no tasks, no waits, no messages.

What happens is done with at once, all the way up the tree. It follows what OTP's manual says of
restarts, intensity, automatic shutdown and the management of children, not our machine.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace


@dataclass(eq=False)
class Node:
    """Be a child: a worker, or, where it has a strategy, a supervisor of ``specs``."""

    id: str
    restart: str = "permanent"
    significant: bool = False
    strategy: str | None = None
    most: int = 1
    within: float = 5.5
    auto_shutdown: str = "never"
    specs: tuple[Node, ...] = ()
    # as it is now
    path: str = ""
    parent: Node | None = None
    is_up: bool = False
    children: list[Node] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def placed(self, parent: Node | None) -> Node:
        """Give one of it, to be ``parent``'s child."""
        path = self.id if parent is None else f"{parent.path}/{self.id}"
        return replace(self, path=path, parent=parent, is_up=False, children=[], times=[])


class Otp:
    """Keep a tree as OTP would.

    starts: how often each path was started. failing: how many of its next starts fail.
    escalated: the supervisors that gave up, in order. end: of the root: "failed", "shutdown".
    """

    def __init__(self, root: Node) -> None:
        self.starts: Counter[str] = Counter()
        self.failing: Counter[str] = Counter()
        self.escalated: list[str] = []
        self.end: str | None = None
        self.root = root.placed(None)
        assert self.start(self.root)

    def nodes(self) -> list[Node]:
        """Give all that have a place, parents first."""
        found = [self.root]
        for node in found:
            found += node.children
        return found

    def up(self) -> set[str]:
        return {node.path for node in self.nodes() if node.is_up}

    # -- starting and stopping

    def start(self, node: Node) -> bool:
        self.starts[node.path] += 1
        if self.failing[node.path]:
            self.failing[node.path] -= 1
            return False
        node.children = [spec.placed(node) for spec in node.specs]
        node.times = []
        for child in node.children:
            if not self.start(child):
                self.stop(node)
                return False
        node.is_up = True
        return True

    def stop(self, node: Node) -> None:
        node.children = []
        node.is_up = False

    # -- what ends of itself

    def ended(self, node: Node, *, abnormal: bool, now: float) -> None:
        self.stop(node)
        supervisor = node.parent
        if supervisor is None:
            self.end = "failed" if abnormal else "shutdown"
        elif node.restart == "permanent" or (node.restart == "transient" and abnormal):
            self._restart(supervisor, node, now)
        else:
            if node.restart == "temporary":
                supervisor.children.remove(node)
            if node.significant and self._is_completed(supervisor):
                self.ended(supervisor, abnormal=False, now=now)

    def _restart(self, supervisor: Node, failing: Node | None, now: float) -> None:
        while failing is not None:
            supervisor.times = [t for t in supervisor.times if now - t <= supervisor.within]
            supervisor.times.append(now)
            if len(supervisor.times) > supervisor.most:
                self.escalated.append(supervisor.path)
                self.ended(supervisor, abnormal=True, now=now)
                return
            group = self._group(supervisor, failing)
            for child in group:
                self.stop(child)
                if child.restart == "temporary":
                    supervisor.children.remove(child)
            left = [child for child in group if child in supervisor.children]
            failing = next((child for child in left if not self.start(child)), None)

    def _group(self, supervisor: Node, failing: Node) -> list[Node]:
        children = supervisor.children
        match supervisor.strategy:
            case "one_for_one":
                return [failing]
            case "one_for_all":
                return list(children)
            case _:
                return children[children.index(failing) :]

    def _is_completed(self, supervisor: Node) -> bool:
        if supervisor.auto_shutdown == "any_significant":
            return True
        return not any(child.significant and child.is_up for child in supervisor.children)

    # -- what is asked for; the answer is "ok", or why not

    def start_child(self, supervisor: Node, spec: Node) -> str:
        found = self._find(supervisor, spec.id)
        if found is not None:
            return "already_started" if found.is_up else "already_present"
        child = spec.placed(supervisor)
        if not self.start(child):
            return "start_failed"
        supervisor.children.append(child)
        return "ok"

    def terminate_child(self, supervisor: Node, id: str) -> str:
        found = self._find(supervisor, id)
        if found is None:
            return "not_found"
        self.stop(found)
        if found.restart == "temporary":
            supervisor.children.remove(found)
        return "ok"

    def restart_child(self, supervisor: Node, id: str) -> str:
        found = self._find(supervisor, id)
        if found is None:
            return "not_found"
        if found.is_up:
            return "running"
        return "ok" if self.start(found) else "start_failed"

    def delete_child(self, supervisor: Node, id: str) -> str:
        found = self._find(supervisor, id)
        if found is None:
            return "not_found"
        if found.is_up:
            return "running"
        supervisor.children.remove(found)
        return "ok"

    def _find(self, supervisor: Node, id: str) -> Node | None:
        return next((child for child in supervisor.children if child.id == id), None)
