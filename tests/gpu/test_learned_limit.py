"""A learned limit: the slowest of late, many times over, within bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from failsoft.gpu.handle.learned_limit import WINDOW, LearnedLimit

TOOK = st.lists(st.tuples(st.floats(0.001, WINDOW), st.floats(0.001, 1000.0)), min_size=1)


def test_it_is_at_its_most_while_nothing_was_seen() -> None:
    """What isn't known may be slow."""
    assert LearnedLimit(20.0, 10.0, 300.0).limit == 300.0


def test_what_was_slow_is_forgotten_after_two_windows_and_not_before_one() -> None:
    """Idle time forgets nothing: only what comes since does."""
    limit = LearnedLimit(20.0, 10.0, 300.0)
    limit.observe(0.0, 5.0)
    limit.observe(WINDOW, 1.0)
    assert limit.limit == 100.0
    limit.observe(2 * WINDOW, 1.0)
    assert limit.limit == 20.0
    assert limit.slowest == 1.0


@given(TOOK)
def test_it_is_never_less_than_many_times_what_came_in_the_last_window(
    took: list[tuple[float, float]],
) -> None:
    """WK-03 So what took so long lately, and many times that, is no hang."""
    limit, now, seen = LearnedLimit(20.0, 10.0, 300.0), 0.0, []
    for gap, seconds in took:
        now += gap
        limit.observe(now, seconds)
        seen.append((now, seconds))
        recent = max(seconds for at, seconds in seen if at >= now - WINDOW)
        assert limit.limit >= min(300.0, 20.0 * recent)
        assert 10.0 <= limit.limit <= 300.0
