"""Figures: ratios, aims, and who wins; how they are measured, drawn, and printed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from bench import charts
from bench.figures import Figure, Spread, against, aim_of, lines_of, number
from bench.paired import compare


def figure(ours: float, theirs: float, **rest: object) -> Figure:
    return against("a thing", "things", [(ours, theirs)], peer="a peer", **rest)


def test_a_ratio_is_taken_round_by_round() -> None:
    """What the machine did in one round hits both sides of that round's ratio."""
    made = against("a thing", "s", [(1.0, 2.0), (4.0, 2.0), (3.0, 2.0)], peer="a peer")
    assert made.ratio is not None
    assert (made.ratio.least, made.ratio.median, made.ratio.most) == (0.5, 1.5, 2.0)


@pytest.mark.parametrize(
    ("made", "is_met"),
    [
        (figure(9, 10, at_least=0.95), False),
        (figure(96, 100, at_least=0.95), True),
        (figure(102, 100, at_most=1.01), False),
        (figure(101, 100, at_most=1.01), True),
        (figure(25_000, 30_000, at_least=20_000, judges_ours=True), True),
        (figure(15_000, 5_000, at_least=20_000, judges_ours=True), False),
        (figure(1, 2), None),
    ],
)
def test_an_aim_is_met_or_not(made: Figure, is_met: bool | None) -> None:
    """It is held against the ratio, or against ours, and the line says what came of it."""
    assert made.is_met is is_met
    (line,) = lines_of([made])
    assert ("as it must be" in line) == (is_met is True)
    assert ("NOT AS IT MUST BE" in line) == (is_met is False)


@pytest.mark.parametrize(
    ("made", "wins"),
    [
        (figure(1, 2), True),
        (figure(2, 1), False),
        (figure(1, 2, less_is_better=True), False),
        (figure(2, 1, less_is_better=True), True),
        (figure(2, 1, less_is_better=True, is_rival=False), False),
    ],
)
def test_where_the_peer_wins_it_is_said(made: Figure, wins: bool) -> None:
    """A rate and a time are read the other way round; a part of our own way is no rival."""
    assert made.peer_wins is wins
    assert ("the peer wins" in lines_of([made])[0]) is wins


def test_a_gain_is_read_the_same_way_of_rates_and_of_times() -> None:
    """Half of the peer's time is twice as good, as twice its rate is; so is the aim."""
    rate = figure(3, 2, at_least=0.5)
    time = against(
        "a thing", "s", [(1, 2), (1, 4)], peer="a peer", less_is_better=True, at_most=2.0
    )
    assert rate.gain == Spread(1.5, 1.5, 1.5)
    assert time.gain == Spread(1 / 0.375, 2.0, 4.0)
    assert (rate.aimed_gain, time.aimed_gain) == (0.5, 0.5)
    assert aim_of(time) == "at least 0.5 times"


def test_an_aim_for_ours_alone_is_told_in_its_own_unit() -> None:
    assert aim_of(figure(1, 2, at_least=20_000, judges_ours=True)) == "at least 20000 things"
    assert aim_of(figure(1, 2)) == ""


def test_a_number_has_no_more_digits_than_it_tells() -> None:
    assert number(Spread(1234.5, 1000.0, 2000.0)) == "1,234 (1,000 to 2,000)"
    assert number(Spread(0.5, 0.25, 1.0)) == "0.500 (0.250 to 1.000)"
    assert number(Spread(25.14, 25.14, 25.14)) == "25.1"


def test_ours_and_the_peer_take_turns_after_a_round_to_warm_up() -> None:
    """Microseconds an operation; that ours be twice as fast is that its time be half."""
    asked: list[str] = []

    async def ours(operations: int) -> float:
        asked.append("ours")
        return 0.001 if len(asked) > 2 else 1.0

    async def peer(operations: int) -> float:
        asked.append("peer")
        return 0.004

    made = compare("a thing", ours, "a peer", peer, operations=100, rounds=2, at_least=2.0)
    assert asked == ["ours", "peer"] * 3
    assert made.ours == Spread(10.0, 10.0, 10.0)
    assert made.gain == Spread(4.0, 4.0, 4.0)
    assert made.is_met


def test_ratios_are_drawn_a_row_each(tmp_path: Path) -> None:
    """As PNG and SVG; what has no peer has no row."""
    pytest.importorskip("matplotlib")
    alone = Figure(name="alone", unit="s", ours=Spread(1.0, 1.0, 1.0))
    drawn = charts.ratios([figure(1, 2, at_least=0.9), alone], tmp_path / "ratios")
    assert drawn == ["ratios.png", "ratios.svg"]
    assert all((tmp_path / name).stat().st_size > 1000 for name in drawn)
    assert charts.ratios([alone], tmp_path / "none") == []


def test_without_matplotlib_nothing_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said what to install."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert charts.ratios([figure(1, 2)], tmp_path / "ratios") == []
    assert "matplotlib" in capsys.readouterr().out
