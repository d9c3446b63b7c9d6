"""What is told of a load, and for how long it is looked at."""

from __future__ import annotations

from itertools import count

from failsoft.gpu.loading.reports import LoadReports
from failsoft.messages.frames import Frame, Loading

MIB = 1 << 20


def test_bytes_that_move_are_told_while_it_loads() -> None:
    """The engine has said nothing of its own: the last progress is told again."""
    told: list[Frame] = []
    reports = LoadReports(told.append, movement=count(0, MIB).__next__)
    reports.notice_movement()
    assert told == [Loading(0, 0)]


def test_once_it_is_over_nobody_looks_whether_bytes_move() -> None:
    """WK-02 The heartbeat goes on for as long as the worker lives, and is to cost little."""
    told: list[Frame] = []
    moved = count(0, MIB)
    reports = LoadReports(told.append, movement=moved.__next__)
    reports.finish()
    before = next(moved)
    reports.notice_movement()
    assert next(moved) == before + MIB
    assert told == []
