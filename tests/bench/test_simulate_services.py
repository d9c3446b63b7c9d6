"""Several services over one pool: what they share, how fairly, and what is to be set for it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from bench.report import OUTPUT, reports_in
from bench.simulate import charts as fleet_charts
from bench.simulate import main
from bench.simulate.ask import Ask
from bench.simulate.services import charts
from bench.simulate.services import run as services
from bench.simulate.services.call import WIRE
from bench.simulate.services.figures import SharedFigures, fair_shares, jain
from bench.simulate.services.run import simulate
from bench.simulate.services.scenarios import SCENARIOS, Scenario
from bench.simulate.services.setups import SETUPS
from bench.simulate.services.sharing import CLIENTS_BEGIN, Sharing
from bench.simulate.services.table import aims_of

from failsoft.messages import GenerateText

SHORT = Scenario("Short", 0.75, 3.0, 20.0, tuple(SETUPS), after=20.0)


@pytest.mark.parametrize("setup", SETUPS)
def test_every_ask_has_exactly_one_outcome(setup: str) -> None:
    # given, when: it raises where one has none, or two
    sharing = Sharing(SETUPS[setup], SHORT, services=3, workers=2, seed=7)
    sharing.run()
    # then
    ledgers = [service.ledger for service in sharing.services]
    for ledger in ledgers:
        assert sum(ledger.outcomes.values()) == ledger.asked
        assert sum(ledger.done) == ledger.outcomes["ok"]
    assert sum(ledger.asked for ledger in ledgers) > 200
    assert not any(node.waiting() or node.model.running for node in sharing.nodes)


def test_the_same_seed_gives_the_same_figures_and_another_one_others() -> None:
    run = ("failing", "least loaded", 4)
    first, second, other = (simulate(run, workers=2, seed=seed) for seed in (5, 5, 6))
    assert first == second
    assert first != other


def test_setups_are_asked_the_same() -> None:
    """Nor does it matter how many services there are."""
    asked = {
        simulate(("failing", setup, count), workers=2, seed=5).requests
        for setup in ("listed", "least loaded")
        for count in (1, 16)
    }
    assert len(asked) == 1


def test_a_node_knows_how_long_a_service_waits() -> None:
    """Where the service closes the connection; the way there takes its time."""
    # given
    sharing = Sharing(SETUPS["defaults"], SHORT, services=1, workers=1, seed=1)
    (service,), (node,) = sharing.services, sharing.nodes
    node.begin()
    service.begin()
    sharing.timeline.run(CLIENTS_BEGIN)
    # when
    ask = Ask(GenerateText("a"), CLIENTS_BEGIN, patience=15.0)
    service.ask(ask)
    sharing.timeline.run(CLIENTS_BEGIN + 2 * WIRE)
    # then
    (job,) = node.model.running
    assert job.sent.route.deadline == pytest.approx(ask.deadline + WIRE)


@pytest.mark.parametrize(("setup", "limit"), [("listed", 2 * 16), ("limit", 64), ("bounded", 8)])
def test_a_limit_begins_at_max_concurrent_unless_it_has_a_bound(setup: str, limit: int) -> None:
    sharing = Sharing(SETUPS[setup], SHORT, services=2, workers=2, seed=1)
    assert [service.limit for service in sharing.services] == [limit, limit]


def test_many_services_with_one_list_crowd_onto_its_first_one() -> None:
    """At three quarters of the capacity, which is no overload; unless the least loaded is asked."""
    listed = simulate(("surge", "listed", 16), workers=4, seed=1)
    spread = simulate(("surge", "least loaded", 16), workers=4, seed=1)
    assert listed.before < 0.9
    assert spread.before > 0.95


@pytest.mark.parametrize("setup", ["least bounded", "bounded"])
def test_sixteen_services_share_three_times_the_load_evenly(setup: str) -> None:
    """AD-05 Most of the capacity is put to good use, without a word to each other."""
    figures = simulate(("surge", setup, 16), workers=4, seed=1)
    assert figures.goodput >= 0.85
    assert figures.fairness >= 0.95
    assert figures.most_queued <= 4 * figures.slots


def test_under_lasting_load_only_limits_with_a_bound_keep_the_queue_short() -> None:
    """AD-02 What others send looks to a service like a model that has become slow."""
    alone = simulate(("lasting", "endless", 16), workers=2, seed=1)
    bounded = simulate(("lasting", "endless bounded", 16), workers=2, seed=1)
    assert alone.limit > 8 * alone.slots
    assert bounded.limit <= 2 * bounded.slots
    assert bounded.most_queued < 1.5 * bounded.slots < alone.queued


def test_a_noisy_service_takes_nothing_from_the_others_where_limits_are_bounded() -> None:
    figures = simulate(("noisy", "bounded", 4), workers=4, seed=1)
    assert figures.others is not None
    assert figures.others > 0.97


def test_a_worker_that_refuses_all_is_not_asked_again_and_again() -> None:
    """RY-04 It has the least in hand; services heed what it said of when to come back."""
    figures = simulate(("failing", "least loaded", 4), workers=4, seed=1)
    assert figures.goodput > 0.95
    assert figures.sends < 1.3


def test_fair_shares_give_nobody_more_than_asked_for() -> None:
    assert fair_shares([1.0, 10.0, 4.0], capacity=9.0) == [1.0, 4.0, 4.0]
    assert fair_shares([1.0, 2.0], capacity=9.0) == [1.0, 2.0]


def test_jains_index_is_one_where_all_get_the_same_and_one_nth_where_one_gets_all() -> None:
    assert jain([3.0, 3.0, 3.0]) == 1.0
    assert jain([5.0, 0.0, 0.0, 0.0]) == 0.25
    assert jain([0.0, 0.0]) == 1.0


def test_loads_are_split_as_the_scenario_says() -> None:
    assert SCENARIOS["surge"].loads(4, in_trouble=True) == [0.75] * 4
    assert SCENARIOS["unequal"].loads(2, in_trouble=False) == [0.5, 0.25]
    assert SCENARIOS["noisy"].loads(4, in_trouble=True) == [1.5, 0.15, 0.15, 0.15]


def test_what_is_not_as_it_must_be_is_said() -> None:
    """Of as many services as there are at most, set up as the page advises."""
    figures = simulate(("surge", "bounded", 4), workers=2, seed=1)
    poor = msgspec.structs.replace(figures, goodput=0.5, fairness=0.5)
    assert [aim.is_met for aim in aims_of([poor])] == [False, False]
    assert aims_of([msgspec.structs.replace(poor, setup="listed")]) == []
    lasting = msgspec.structs.replace(figures, scenario="lasting", most_queued=10 * figures.slots)
    assert [aim.is_met for aim in aims_of([lasting])] == [False]


def test_the_command_prints_tables_and_writes_what_was_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.chdir(tmp_path)
    runs = [("failing", "listed", 2), ("failing", "least loaded", 2)]
    monkeypatch.setattr(services, "plan", lambda: runs)
    monkeypatch.setattr(fleet_charts, "draw", lambda runs, folder: [])
    monkeypatch.setattr(charts, "draw", lambda runs, folder: ["drawn.svg"])
    # when
    main(["--only", "services", "--workers", "2", "--processes", "1"])
    # then
    assert "One worker fails all that it gets" in capsys.readouterr().out
    (report,) = reports_in(OUTPUT)
    assert [row[:2] for row in report.tables[0].rows] == [
        (SETUPS["listed"].title, "2"),
        (SETUPS["least loaded"].title, "2"),
    ]
    assert report.charts == ("drawn.svg",)
    assert "2 workers" in report.settings["several services"]
    written = msgspec.json.decode((OUTPUT / "simulate_runs.json").read_bytes())
    assert [run["setup"] for run in written["shared"]] == ["listed", "least loaded"]


def test_the_runs_are_drawn_in_time(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    runs = [simulate(("surge", setup, 1), 1, seed=1) for setup in ("listed", "least bounded")]
    drawn = charts.draw(runs, tmp_path)
    assert sorted(drawn) == ["simulate_services.png", "simulate_services.svg"]
    assert all((tmp_path / name).stat().st_size > 1000 for name in drawn)
    assert charts.draw([], tmp_path) == []


def test_all_runs_are_of_setups_that_there_are() -> None:
    planned = services.plan()
    assert {run[0] for run in planned} == set(SCENARIOS)
    assert {run[1] for run in planned} == set(SETUPS)
    assert len(planned) == len(set(planned))


def test_figures_can_be_written_and_read() -> None:
    figures = simulate(("failing", "listed", 1), workers=1, seed=1)
    assert msgspec.json.decode(msgspec.json.encode(figures), type=SharedFigures) == figures
