"""Setups: how services see the pool, and what they are told of it."""

from __future__ import annotations

import math
from typing import Final

import msgspec

from bench.simulate.variants import UNBOUND, VARIANTS, Variant
from failsoft.supervisors.routing.admission import Admission
from failsoft.supervisors.routing.limit import Limit
from failsoft.supervisors.routing.policy import RoutePolicy

# The slots of one server of 16 workers: a service that is alone can use no more.
_ALL_SLOTS: Final = 64
_OVER_SHARE: Final = 2.0

_OWN_LINE = VARIANTS["defaults"]
_TAKES_ALL = Variant(
    RoutePolicy(admission=UNBOUND, breaker=None, budget=None, retries=0, degradation=None)
)


class Setup(msgspec.Struct, frozen=True):
    """Say what stands between services and workers.

    title: in a table. is_one_server: all workers are behind one server, and each service has that
    as its one model; else each worker has a server, and each service has all of them as models.
    server: the policy of the servers. policy: of the services. max_concurrent: of their remote
    models; None: the default. is_bounded: each service's limit, which is one for each server, is at
    most two shares of that server's slots.
    """

    title: str
    is_one_server: bool = True
    server: Variant = _OWN_LINE
    policy: RoutePolicy = RoutePolicy()
    max_concurrent: int | None = _ALL_SLOTS
    is_bounded: bool = False

    def policy_for(self, services: int, slots: int) -> RoutePolicy:
        """Give the policy of each of so many services over servers of so many slots."""
        if not self.is_bounded:
            return self.policy
        most = max(1, math.ceil(_OVER_SHARE * slots / services))
        admission = Admission(limit=Limit(initial=most, most=most))
        return msgspec.structs.replace(self.policy, admission=admission)


SETUPS: Final[dict[str, Setup]] = {
    "defaults": Setup("one server, all at the defaults", max_concurrent=None),
    "limit": Setup("one server, the limit alone"),
    "bounded": Setup("one server, limit at most two shares", is_bounded=True),
    "endless": Setup("a server that queues all, the limit alone", server=_TAKES_ALL),
    "endless bounded": Setup(
        "a server that queues all, limit at most two shares", server=_TAKES_ALL, is_bounded=True
    ),
    "listed": Setup(
        "a server each, all in the same order", is_one_server=False, max_concurrent=None
    ),
    "least loaded": Setup(
        'a server each, prefer="least_loaded"',
        is_one_server=False,
        policy=RoutePolicy(prefer="least_loaded"),
        max_concurrent=None,
    ),
    "least bounded": Setup(
        "the same, limit at most two shares",
        is_one_server=False,
        policy=RoutePolicy(prefer="least_loaded"),
        max_concurrent=None,
        is_bounded=True,
    ),
}
