"""The benchmark of policies: ours round a call does what it is timed for."""

from __future__ import annotations

import pytest
from bench.policy.call import Call, Trouble, answered, each_other_fails, failing, refused, well
from bench.policy.ours import RETRIES, Refused, guarded

pytestmark = pytest.mark.anyio


async def test_a_call_that_goes_well_is_made_once() -> None:
    calls = 0

    async def call() -> int:
        nonlocal calls
        calls += 1
        return 7

    assert await guarded(call)() == 7
    assert calls == 1


async def test_a_call_that_fails_is_made_again() -> None:
    """Each other one fails: its retry is the answer, however many there were before."""
    call = guarded(each_other_fails())
    assert [await call() for _ in range(50)] == [1] * 50


async def test_a_call_that_always_fails_opens_the_circuit() -> None:
    """Its own error comes after the last retry; from the fifth failure on it isn't called."""
    call = guarded(failing)
    with pytest.raises(Trouble):
        await call()
    assert RETRIES == 3
    with pytest.raises(Refused):
        await call()
    with pytest.raises(Refused):
        await call()


async def test_calls_are_timed_as_many_as_are_asked_for() -> None:
    """Those before, which open the breaker, don't count, but are made."""
    calls = 0

    def counted(call: Call) -> Call:
        async def count() -> int:
            nonlocal calls
            calls += 1
            return await call()

        return count

    assert await answered(counted, lambda: well)(20) > 0
    assert calls == 20
    assert await refused(lambda call: counted(guarded(call)), Refused)(20) > 0
    assert calls == 20 + 10 + 20
