"""Ordering: which of a router's equal candidates is asked first. Pure; chance is passed in."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from failsoft.supervisors.routing.target import Target


def least_loaded(targets: Iterable[Target], random: Random, now: float) -> list[Target]:
    """Give those with the fewest requests in hand first, and those of as many by chance.

    Not in their order: routers of many services would all begin with the same one. Last come
    those that asked to be left alone: what refuses everything has the least in hand.
    """
    return sorted(
        targets,
        key=lambda each: (now < each.rests_until, each.line.in_flight, random.random()),
    )
