"""The peers round the same call, set up as their docs have it, with the same number of retries."""

from __future__ import annotations

import pybreaker  # type: ignore[import-not-found]  # only the peers have it
import stamina  # type: ignore[import-not-found]  # only the peers have it
import tenacity  # type: ignore[import-not-found]  # only the peers have it

from bench.policy.call import Call, Trouble
from bench.policy.ours import RETRIES

Refused = pybreaker.CircuitBreakerError
SETTINGS = {
    "tenacity": f"@retry, stop_after_attempt({RETRIES + 1}), wait_none(); no breaker, no budget",
    "stamina": f"@stamina.retry, attempts={RETRIES + 1}, no wait; no breaker, no budget",
    "pybreaker": (
        "with CircuitBreaker(fail_max=5).calling(), which is how it takes an async call without "
        "Tornado; no retries, no failure rate"
    ),
    "tenacity + pybreaker": "both as above, the breaker inside: nearest to what ours does",
}


def retried(call: Call) -> Call:
    wrapped: Call = tenacity.retry(
        stop=tenacity.stop_after_attempt(RETRIES + 1),
        wait=tenacity.wait_none(),
        retry=tenacity.retry_if_exception_type(Trouble),
        reraise=True,
    )(call)
    return wrapped


def stamina_retried(call: Call) -> Call:
    wrapped: Call = stamina.retry(
        on=Trouble, attempts=RETRIES + 1, timeout=None, wait_initial=0, wait_max=0, wait_jitter=0
    )(call)
    return wrapped


def breaker(call: Call) -> Call:
    circuit = pybreaker.CircuitBreaker(fail_max=5, reset_timeout=60)

    async def wrapped() -> int:
        with circuit.calling():
            return await call()
        raise AssertionError("the block returns or raises")

    return wrapped


def both(call: Call) -> Call:
    return retried(breaker(call))
