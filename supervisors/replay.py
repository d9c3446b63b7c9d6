"""Replay: from the events of a tree to what is there now, for who can't ask the tree itself."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from failsoft.messages.events import (
    ActorFailed,
    ActorStarted,
    ActorStopped,
    ActorStopping,
    ChildForgotten,
    ChildStarting,
    Event,
    RestartCalledOff,
    RestartScheduled,
)


class ActorView(msgspec.Struct, frozen=True):
    """Show an actor as the events tell; the words are those of ``TreeNode``.

    incarnation: 0 before it has been up. attempt: of the restart that is waited for.
    reason: of its last end.
    """

    state: str
    incarnation: int = 0
    waiting_until: float | None = None
    attempt: int = 0
    reason: str = ""


class Replay:
    """Follow a tree by its events, from its start on; ``actors`` holds each by its path.

    Give ``hear`` to ``system.events.subscribe``, or use ``replayed`` for events of old.
    """

    def __init__(self) -> None:
        self.actors: dict[str, ActorView] = {}
        self._below: dict[str, set[str]] = {}
        self._supervised: set[str] = set()
        self._together: dict[str, tuple[str, ...]] = {}

    def hear(self, event: Event) -> None:
        """Take in the next event."""
        path = event.path
        match event:
            case ChildStarting():
                self._supervised.add(path)
                self._end_wait(self._together.get(path, ()))
                self._set(path, state="starting")
            case ActorStarted():
                self._set(path, state="running", incarnation=event.incarnation)
            case ActorStopping():
                self._set(path, state="stopping")
            case ActorStopped():
                self._ended(path, event.reason)
            case ActorFailed():
                self._ended(path, event.error)
            case RestartScheduled():
                self._wait(event)
            case RestartCalledOff():
                self._end_wait(f"{path}/{id}" for id in event.children)
            case ChildForgotten():
                self._remove(path)

    def _set(self, path: str, **changes: object) -> None:
        before = self.actors.get(path)
        if before is None:
            before = ActorView("down")
            self._below.setdefault(path.rpartition("/")[0], set()).add(path)
        self.actors[path] = msgspec.structs.replace(before, **changes)

    def _ended(self, path: str, reason: str) -> None:
        for child in tuple(self._below.get(path, ())):
            self._remove(child)
        if path in self._supervised:
            self._set(path, state="down", reason=reason)
        else:
            self._remove(path)  # nobody will start it again

    def _wait(self, event: RestartScheduled) -> None:
        supervisor = event.path.rpartition("/")[0]
        together = tuple(f"{supervisor}/{id}" for id in event.together)
        for path in together:
            self._set(path, waiting_until=event.at + event.delay, attempt=event.attempt)
            self._together[path] = together

    def _end_wait(self, paths: Iterable[str]) -> None:
        for path in paths:
            self._together.pop(path, None)
            if path in self.actors:
                self._set(path, waiting_until=None, attempt=0)

    def _remove(self, path: str) -> None:
        for child in tuple(self._below.pop(path, ())):
            self._remove(child)
        self._below.get(path.rpartition("/")[0], set()).discard(path)
        self._supervised.discard(path)
        self._together.pop(path, None)
        self.actors.pop(path, None)


def replayed(events: Iterable[Event]) -> dict[str, ActorView]:
    """Give what is there after ``events``, which begin with the tree: each actor by its path."""
    replay = Replay()
    for event in events:
        replay.hear(event)
    return replay.actors
