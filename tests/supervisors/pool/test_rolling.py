"""The state machine of a rollout."""

from __future__ import annotations

from failsoft.supervisors.pool.rolling import Bring, Ended, Retire, Rolling, Step


def test_one_comes_before_one_goes() -> None:
    rolling = Rolling(["1", "2"], old=0, new=1)
    steps: list[Step | None] = [rolling.begin(), rolling.came("3"), rolling.went("1")]
    steps += [rolling.came("4"), rolling.went("2")]
    assert steps == [Bring(1), Retire("1"), Bring(1), Retire("2"), Ended()]


def test_where_the_first_fails_nothing_has_changed() -> None:
    rolling = Rolling(["1", "2"], old=0, new=1)
    rolling.begin()
    assert rolling.failed("no memory") == Ended("no memory")


def test_where_a_later_one_fails_those_before_it_are_replaced_back() -> None:
    rolling = Rolling(["1", "2", "3"], old=0, new=1)
    rolling.begin()
    rolling.came("4")
    rolling.went("1")
    rolling.came("5")
    rolling.went("2")
    steps: list[Step | None] = [rolling.failed("bad weights")]
    steps += [rolling.came("7"), rolling.went("4"), rolling.came("8"), rolling.went("5")]
    assert steps == [Bring(0), Retire("4"), Bring(0), Retire("5"), Ended("bad weights")]


def test_where_the_way_back_fails_too_it_ends_as_it_is() -> None:
    rolling = Rolling(["1", "2"], old=0, new=1)
    rolling.begin()
    rolling.came("3")
    rolling.went("1")
    rolling.failed("bad weights")
    assert rolling.failed("no memory") == Ended("bad weights", is_mixed=True)


def test_who_goes_of_its_own_accord_is_no_step() -> None:
    rolling = Rolling(["1", "2"], old=0, new=1)
    rolling.begin()
    assert rolling.went("2") is None
    assert rolling.came("3") == Retire("1")


def test_a_pool_with_nobody_left_is_rolled_out_at_once() -> None:
    assert Rolling([], old=0, new=1).begin() == Ended()
