"""Damping: a verdict turns only after several results in a row."""

from __future__ import annotations

import pytest

from failsoft.telemetry.damping import Damping


@pytest.mark.parametrize(
    ("bad_after", "good_after", "results", "verdicts"),
    [
        (2, 1, "+-+-+", "+++++"),
        (2, 1, "+--+-", "++-++"),
        (1, 1, "+-+", "+-+"),
        (3, 2, "+---+-++", "+++----+"),
        # The first one is the verdict by itself.
        (2, 2, "-+-+", "----"),
    ],
)
def test_it_takes_so_many_in_a_row(
    bad_after: int, good_after: int, results: str, verdicts: str
) -> None:
    """TL-04 One that flaps turns nothing."""
    damping = Damping(bad_after, good_after)
    assert "".join("+" if damping.add(r == "+") else "-" for r in results) == verdicts


def test_it_must_take_at_least_one() -> None:
    """TL-04 Before anything is counted."""
    with pytest.raises(ValueError, match="at least 1"):
        Damping(0, 1)
