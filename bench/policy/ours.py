"""The policies of a router round a call: circuit, retry budget and backoff, and nothing else."""

from __future__ import annotations

import asyncio
from random import Random
from time import monotonic

from bench.policy.call import Call, Trouble
from failsoft.supervisors import NO_WAIT
from failsoft.supervisors.routing.breaker import Breaker
from failsoft.supervisors.routing.budget import Budget, TokenBucket
from failsoft.supervisors.routing.circuit import Circuit

RETRIES = 3
SETTINGS = (
    "Circuit, TokenBucket and Backoff as a router uses them; it opens after 5 failures in a row "
    "(its sliding window counts, but opens nothing), and each success buys a retry"
)


class Refused(Exception):
    """Be the answer of an open circuit."""


def guarded(call: Call) -> Call:
    """Call behind a circuit, and again after a failure, while the budget lasts."""
    circuit = Circuit(Breaker(failure_rate=None))
    bucket = TokenBucket(Budget(ratio=1.0), monotonic())
    random = Random(1)

    async def guard() -> int:
        for attempt in range(1, RETRIES + 2):
            began = monotonic()
            permit = circuit.admit(began)
            if permit is None:
                raise Refused(circuit.retry_after(began))
            try:
                answer = await call()
            except Trouble:
                now = monotonic()
                circuit.failed(permit, now - began, now)
                if attempt > RETRIES or not bucket.spend(now):
                    raise
                await asyncio.sleep(NO_WAIT.delay(attempt, random))
                continue
            now = monotonic()
            circuit.succeeded(permit, now - began, now)
            bucket.earn()
            return answer
        raise AssertionError("the last attempt returns or raises")

    return guard
