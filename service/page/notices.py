"""Notices: what is worth knowing besides the tree's troubles: load, checks, alerts, the drain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from failsoft.service.page.picture import Told
from failsoft.service.page.trouble import Trouble

# What these checks find is told of the tree itself, with more words.
_OF_THE_TREE: Final = frozenset(("models", "tree", "workers"))
_LESS: Final = {"reduced": "answers are shorter", "minimal": "answers are a lot shorter"}


def notices_of(
    told: Told, *, level: str, load: float | None, is_draining: bool
) -> Iterator[Trouble]:
    """Give what is worth knowing. level: of degradation; load: that it follows from, 0 to 1."""
    if is_draining:
        yield Trouble(
            level="broken",
            path="the service",
            what="takes no more work",
            why="it drains",
            for_whom="new requests are refused",
            done="what is in hand is finished",
        )
    if level in _LESS:
        yield Trouble(
            level="mending",
            path="the load",
            what="is too high" if load is None else f"is {load:.0%}",
            for_whom=_LESS[level],
            done="they are full again once it falls",
        )
    for check in told.failed_checks:
        if check.name not in _OF_THE_TREE:
            yield Trouble(
                level="mending" if check.critical else "notice",
                path=f"the check {check.name}",
                what="fails",
                why=check.message,
            )
    for alert in told.alerts or ():
        yield Trouble(
            level="notice",
            path=f"the alert {alert.name}",
            what="fires",
            since=alert.since,
            why=alert.summary,
        )
