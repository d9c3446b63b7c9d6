"""Variants: the policies at their defaults, and with one of them changed or taken away."""

from __future__ import annotations

from typing import Final

import msgspec

from failsoft.supervisors.backoff import Backoff
from failsoft.supervisors.routing.admission import Admission
from failsoft.supervisors.routing.breaker import Breaker
from failsoft.supervisors.routing.hedge import Hedge
from failsoft.supervisors.routing.limit import Limit
from failsoft.supervisors.routing.poison import Poison
from failsoft.supervisors.routing.policy import RoutePolicy

_ENDLESS: Final = 1_000_000_000


class Variant(msgspec.Struct, frozen=True):
    """Say by which policy requests are routed, and models restarted.

    policy: None stands for what is common without failsoft, see ``plain``.
    senses_load: whether the level of degradation follows how busy the models are.
    """

    policy: RoutePolicy | None
    restarts: Backoff = Backoff()
    senses_load: bool = False


UNBOUND = Admission(queue_limit=_ENDLESS, limit=Limit.fixed(_ENDLESS), margin=0.0)
_IN_STEP = Backoff(jitter=False)

VARIANTS: Final[dict[str, Variant]] = {
    "defaults": Variant(RoutePolicy()),
    "no breaker": Variant(RoutePolicy(breaker=None)),
    "breaker on slow calls": Variant(
        RoutePolicy(breaker=Breaker(slow_rate=0.5, slow_seconds=12.0, probe_seconds=60.0))
    ),
    "long breaker": Variant(RoutePolicy(breaker=Breaker(open_seconds=60.0, longest_open=600.0))),
    "no budget": Variant(RoutePolicy(budget=None)),
    "no admission": Variant(RoutePolicy(admission=UNBOUND)),
    "no jitter": Variant(RoutePolicy(retry_backoff=_IN_STEP), restarts=_IN_STEP),
    "no poison guard": Variant(RoutePolicy(poison=Poison(workers_lost=_ENDLESS))),
    "hedged": Variant(RoutePolicy(hedge=Hedge())),
    "wait for the first": Variant(RoutePolicy(while_busy="wait")),
    "wait for restarts": Variant(RoutePolicy(while_restarting="wait")),
    "less for each": Variant(RoutePolicy(), senses_load=True),
    "plain": Variant(None),
}
