"""Route policy: all that a router can be told, in one place."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from failsoft.supervisors.backoff import Backoff
from failsoft.supervisors.routing.admission import Admission
from failsoft.supervisors.routing.breaker import Breaker
from failsoft.supervisors.routing.budget import Budget
from failsoft.supervisors.routing.degradation import Degradation
from failsoft.supervisors.routing.hedge import Hedge
from failsoft.supervisors.routing.poison import Poison


class RoutePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Say how a router goes about its requests.

    retries: rounds through the candidates after the first one, at most.
    retry_backoff: the waits between rounds.
    budget: how many such rounds, and hedges, there may be by what succeeds; None: no bound.
    breaker: the circuit in front of each candidate; None: there is none.
    admission: the queue in front of each candidate, and how much it gets at a time.
    poison: when a request that takes workers down is refused.
    hedge: when a second model is asked because the first is slow; None: never.
    degradation: what a request is cut down to under load; None: it never is.
    resume: what becomes of a stream whose worker is lost on the way: ``same``: another worker of
        the same model goes on after what the reader has, or the same one when it is restarted;
        ``continue``: so does another model where that one can't, and the last chunk says so;
        None: it ends with the error.
    prefer: which candidate is asked first: ``first``, the first in their order, the others standing
        in for it; ``least_loaded``, of equals, such as servers of the same model, the one with the
        fewest of this router's requests in hand, and none of them is a fallback.
    while_busy: what becomes of requests for a candidate that has as many as it gains by:
        ``fallback``, to the next one that has room, and they queue only where none has;
        ``wait``: they queue for it, while their deadline allows.
    while_restarting: what becomes of requests for a candidate that is being restarted:
        ``fallback``, to the next one that is ready, and they wait only where none is;
        ``wait`` for it, where it should be there before their deadline;
        a number, wait where it should be there in so many seconds, else fall back.
    """

    retries: int = 3
    retry_backoff: Backoff = Backoff()
    budget: Budget | None = Budget()
    breaker: Breaker | None = Breaker()
    admission: Admission = Admission()
    poison: Poison = Poison()
    hedge: Hedge | None = None
    degradation: Degradation | None = Degradation()
    resume: Literal["same", "continue"] | None = "same"
    prefer: Literal["first", "least_loaded"] = "first"
    while_busy: Literal["fallback", "wait"] = "fallback"
    while_restarting: Literal["fallback", "wait"] | float = "fallback"

    def __post_init__(self) -> None:
        if self.retries < 0:
            raise ValueError(f"retries must be at least 0; it is {self.retries}")
        if self.resume not in ("same", "continue", None):
            raise ValueError(f"resume must be 'same', 'continue' or None; it is {self.resume!r}")
        if self.prefer not in ("first", "least_loaded"):
            raise ValueError(f"prefer must be 'first' or 'least_loaded'; it is {self.prefer!r}")
        if self.while_busy not in ("fallback", "wait"):
            raise ValueError(f"while_busy must be 'fallback' or 'wait'; it is {self.while_busy!r}")
        if self.wait_up_to is None:
            raise ValueError(
                "while_restarting must be 'fallback', 'wait', or seconds of at least 0; it is "
                f"{self.while_restarting!r}"
            )

    @property
    def wait_up_to(self) -> float | None:
        """Give the seconds that a restart may take for its requests to wait for it."""
        match self.while_restarting:
            case "fallback":
                return 0.0
            case "wait":
                return math.inf
            case float() | int() as seconds if seconds >= 0:
                return float(seconds)
            case _:
                return None
