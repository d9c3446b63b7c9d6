"""The simulator: every ask has one outcome, chance is by the seed, and the figures hold."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bench.report import OUTPUT, reports_in
from bench.simulate import charts, main
from bench.simulate.aims import aims_of
from bench.simulate.figures import Figures, recovery_of
from bench.simulate.run import simulate
from bench.simulate.scenarios import BEFORE, SCENARIOS

RUNS = [(name, variant) for name, script in SCENARIOS.items() for variant in script.variants]


def told(figures: Figures) -> dict[str, Any]:
    """Give all that the virtual world says; the time that it took is of this one."""
    return {**msgspec.structs.asdict(figures), "cpu_seconds": 0.0}


@pytest.mark.parametrize(("scenario", "variant"), RUNS)
def test_every_ask_has_exactly_one_outcome(scenario: str, variant: str) -> None:
    # given, when: simulate itself raises where one has none, or two
    figures = simulate(scenario, variant, families=1, seed=7)
    # then
    ended = sum(figures.outcomes.values()) + sum(figures.poison_outcomes.values())
    assert ended == figures.requests
    assert sum(figures.done) == figures.outcomes["ok"]
    assert figures.requests > 100


def test_the_same_seed_gives_the_same_figures_and_another_one_others() -> None:
    # given, when
    first, second, other = (simulate("third", "defaults", 3, seed) for seed in (5, 5, 6))
    # then
    assert told(first) == told(second)
    assert told(first) != told(other)


def test_variants_are_asked_the_same() -> None:
    ours, plain = (simulate("third", variant, 2, seed=5) for variant in ("defaults", "plain"))
    assert ours.requests == plain.requests


def test_with_a_third_dying_what_is_left_is_used_and_retries_stay_few() -> None:
    """With policies at their defaults."""
    figures = simulate("third", "defaults", families=20, seed=1)
    assert figures.restarts > 20
    assert figures.amplification <= 1.2
    assert figures.goodput is not None
    assert figures.goodput >= 0.9
    assert figures.recovery is not None
    assert figures.recovery <= 60


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_poison_prompt_takes_at_most_two_workers_down(seed: int) -> None:
    """WK-10 Several clients send it, again and again."""
    figures = simulate("poison", "defaults", families=17, seed=seed)
    assert 1 <= figures.worst_restarts <= 2
    assert sum(figures.poison_outcomes.values()) > 50
    assert "ok" not in figures.poison_outcomes


def test_ten_times_the_capacity_leaves_four_fifths_of_it_useful() -> None:
    """AD-05 For a minute; with a queue that stays bounded."""
    figures = simulate("overload", "defaults", families=3, seed=1)
    assert figures.goodput is not None
    assert figures.goodput >= 0.8
    plain = simulate("overload", "plain", families=3, seed=1)
    assert figures.queue_peak < plain.queue_peak / 4


def test_what_is_not_as_it_must_be_is_said() -> None:
    """A figure with an aim, of the runs at the defaults alone."""
    figures = simulate("overload", "no admission", families=2, seed=1)
    assert aims_of([figures]) == []
    (aim,) = aims_of([msgspec.structs.replace(figures, variant="defaults")])
    assert aim.is_met is False


def test_a_route_that_never_recovers_misses_its_aim() -> None:
    figures = simulate("third", "defaults", families=1, seed=1)
    never = msgspec.structs.replace(figures, recovery=None)
    (recovered,) = [aim for aim in aims_of([never]) if "recovered" in aim.name]
    assert recovered.is_met is False


def test_recovery_is_told_from_when_nearly_all_are_served_again() -> None:
    # given: all are served, none from second 60 on, and all again from 70
    arrived = [10] * 90
    served = [10] * 60 + [0] * 10 + [10] * 20
    # then: five seconds in a row are to be nearly as good as before
    assert recovery_of(arrived, served, 65) == 5.0
    assert recovery_of(arrived, served[:60] + [0] * 30, 65) is None
    assert BEFORE[1] <= 60


def test_the_command_prints_tables_and_writes_what_was_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(charts, "draw", lambda runs, folder: ["drawn.svg"])
    # when
    main(["--only", "poison", "--families", "2", "--processes", "1"])
    # then
    assert "A poison prompt" in capsys.readouterr().out
    (report,) = reports_in(OUTPUT)
    assert [row[0] for row in report.tables[0].rows] == list(SCENARIOS["poison"].variants)
    assert [figure.is_met for figure in report.figures] == [True, None, None]
    assert report.charts == ("drawn.svg",)
    runs = msgspec.json.decode((OUTPUT / "simulate_runs.json").read_bytes())["runs"]
    assert [run["variant"] for run in runs] == list(SCENARIOS["poison"].variants)


def test_each_scenario_is_drawn_in_time(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    runs = [simulate("steady", variant, families=1, seed=1) for variant in ("defaults", "plain")]
    drawn = charts.draw(runs, tmp_path)
    assert sorted(name.rpartition(".")[2] for name in drawn) == ["png", "png", "svg", "svg"]
    assert all((tmp_path / name).stat().st_size > 1000 for name in drawn)


def test_without_matplotlib_nothing_is_drawn_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert charts.draw([], tmp_path) == []
    assert "matplotlib" in capsys.readouterr().out
