"""The simulator: every ask has one outcome, chance is by the seed, and the figures hold."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bench.simulate import charts, main
from bench.simulate.figures import Figures, recovery_of
from bench.simulate.run import simulate
from bench.simulate.scenarios import BEFORE, SCENARIOS
from bench.simulate.table import checks, verdicts

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
    figures = simulate("overload", "no admission", families=2, seed=1)
    (check,) = checks(figures)
    assert not check[1]
    as_defaults = msgspec.structs.replace(figures, variant="defaults")
    assert [said[:3] for said in verdicts([as_defaults])] == ["NOT"]


def test_recovery_is_told_from_when_nearly_all_are_served_again() -> None:
    # given: all are served, none from second 60 on, and all again from 70
    arrived = [10] * 90
    served = [10] * 60 + [0] * 10 + [10] * 20
    # then: five seconds in a row are to be nearly as good as before
    assert recovery_of(arrived, served, 65) == 5.0
    assert recovery_of(arrived, served[:60] + [0] * 30, 65) is None
    assert BEFORE[1] <= 60


def test_the_command_prints_a_table_and_writes_what_was_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(charts, "draw", lambda runs, folder: [folder / "drawn.svg"])
    # when
    main(f"--only poison --families 2 --processes 1 --output {tmp_path}".split())
    # then
    said = capsys.readouterr().out
    assert "A poison prompt" in said
    assert "as it must be: a poison prompt" in said
    assert f"drawn to {tmp_path / 'drawn.svg'}" in said
    report = msgspec.json.decode((tmp_path / "simulate.json").read_bytes())
    assert [run["variant"] for run in report["runs"]] == list(SCENARIOS["poison"].variants)
    assert report["requests"] == sum(run["requests"] for run in report["runs"])


def test_each_scenario_is_drawn_in_time(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    runs = [simulate("steady", variant, families=1, seed=1) for variant in ("defaults", "plain")]
    drawn = charts.draw(runs, tmp_path)
    assert sorted(path.suffix for path in drawn) == [".png", ".png", ".svg", ".svg"]
    assert all(path.stat().st_size > 1000 for path in drawn)


def test_without_matplotlib_nothing_is_drawn_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert charts.draw([], tmp_path) == []
    assert "matplotlib" in capsys.readouterr().out
