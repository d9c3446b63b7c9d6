"""When a keeper counts as out of reach."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.gpu.cluster.reach import Reach


def checked(reach: Reach, since: float, until: float) -> str | None:
    """Check it as often as it wants; give why it was lost by ``until``."""
    beats = round((until - since) / reach.every)
    for beat in range(1, beats + 1):
        if reason := reach.check(since + beat * reach.every):
            return reason
    return None


def test_silence_is_a_loss_once_the_limit_has_passed() -> None:
    """Counted from when it was reached; a sign of life gives it all its time again."""
    reach = Reach(10.0, now=100.0)
    assert reach.every == 1.0
    assert checked(reach, 100.0, 110.0) is None
    reach.heard(110.0)
    assert checked(reach, 110.0, 120.0) is None
    assert repr(reach) == "<Reach 10.0 s of 10 s silent>"
    assert reach.check(121.0) == "nothing has come from its machine for 11 s"


def test_what_comes_is_a_sign_of_life_though_no_word_is_whole() -> None:
    """As long as more comes."""
    reach = Reach(10.0, now=0.0)
    assert all(reach.check(float(now), received=now) is None for now in range(1, 60))
    assert all(reach.check(float(now), received=59) is None for now in range(60, 70))
    assert reach.check(70.0, received=59) == "nothing has come from its machine for 11 s"


@pytest.mark.parametrize("stood_still", [2.5, 60.0, 1e6])
def test_a_check_that_is_late_is_this_processs_fault(stood_still: float) -> None:
    """It says nothing of the keeper; from then on its silence counts again."""
    reach = Reach(10.0, now=0.0)
    assert checked(reach, 0.0, 9.0) is None
    assert reach.check(9.0 + stood_still) is None
    assert checked(reach, 9.0 + stood_still, 19.0 + stood_still) is None
    assert reach.check(20.0 + stood_still) is not None


@given(st.floats(1.0, 100.0), st.lists(st.floats(0.0, 0.89), max_size=50))
def test_who_answers_each_beat_is_never_lost(limit: float, delays: list[float]) -> None:
    """However late within the limit, and however slow the answers."""
    reach, now = Reach(limit, now=0.0), 0.0
    for delay in delays:
        assert checked(reach, now, now + delay * limit) is None
        now += round(delay * limit / reach.every) * reach.every
        reach.heard(now)
