"""The soak's judgement: that it sees what grows and what is lost, and says so."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from bench.soak import command
from bench.soak.bursts import Bursts
from bench.soak.calm import MODELS, WORKERS, restless
from bench.soak.ends import ANSWERED, end_by, refusal_in
from bench.soak.fit import fit
from bench.soak.growth import BOUNDS, LEAST_SECONDS, growths
from bench.soak.ledger import Told, added, told_wrong, totals
from bench.soak.log import ServiceLog
from bench.soak.question import draw
from bench.soak.reloads import TREE, changed
from bench.soak.report import Report
from bench.soak.sample import Sample, scraped
from bench.soak.table import BEGIN, END, filled

from failsoft.actors import TreeNode
from failsoft.messages import InvalidInput
from failsoft.service.config import BadConfig
from failsoft.service.config.file import load
from failsoft.service.http.error_body import openai_body, plain_body

HOUR = 3600.0


def sample(at: float, **figures: Any) -> Sample:
    names = [name for name in Sample.__struct_fields__ if name not in ("at", "is_calm")]
    return Sample(**dict.fromkeys(names, 40) | {"at": at, "is_calm": True, "in_hand": 0} | figures)


# -- the line


def test_a_line_is_found_whatever_a_few_points_say() -> None:
    """A tenth of them far off doesn't move it, as it would move a mean."""
    points = [(float(x), 5.0 + 2.0 * x) for x in range(20)]
    points[3], points[11] = (3.0, 900.0), (11.0, -900.0)
    line = fit(points)
    assert line is not None
    assert (line.slope, line.at) == (2.0, 5.0)
    assert line.low <= 2.0 <= line.high


def test_the_interval_holds_the_slope_about_as_often_as_it_says() -> None:
    """99 % of the time, and it gets narrower with more points."""
    random = Random(1)

    def widths(count: int) -> list[float]:
        noisy = [
            [(float(x), 0.5 * x + random.gauss(0, 3)) for x in range(count)] for _ in range(99)
        ]
        lines = [line for line in map(fit, noisy) if line is not None]
        assert sum(line.low <= 0.5 <= line.high for line in lines) >= 96
        return [line.high - line.low for line in lines]

    assert max(widths(40)) < min(widths(10))


@pytest.mark.parametrize("points", [[], [(1.0, 1.0)] * 9, [(float(x), 1.0) for x in range(3)]])
def test_there_is_no_line_through_too_little(points: list[tuple[float, float]]) -> None:
    """Fewer than four points, or all at one time."""
    assert fit(points) is None


# -- growth


def grown(name: str, value: Callable[[float], float], seconds: float = 1200.0) -> bool:
    figure = "workers" if name == "below" else name
    samples = [sample(at, **{figure: value(at)}) for at in range(30, int(seconds), 30)]
    (found,) = [each for each in growths(samples, seconds) if each.name == name]
    return found.is_too_much


@pytest.mark.parametrize("name", BOUNDS)
def test_what_grows_by_twice_the_bound_is_seen_and_half_of_it_is_not(name: str) -> None:
    """In twenty minutes, with a noise of a tenth of what is added in them."""
    random, bound = Random(7), BOUNDS[name]
    noise = 0.1 * bound * 1200 / HOUR
    assert grown(name, lambda at: 40 + 2.0 * bound * at / HOUR + random.gauss(0, noise))
    assert not grown(name, lambda at: 40 + 0.5 * bound * at / HOUR + random.gauss(0, noise))


def test_noise_is_no_growth() -> None:
    """However high it is: it isn't sure that a slope is above the bound."""
    random = Random(35)
    samples = [sample(at, service=40 + random.gauss(0, 5)) for at in range(270, 1200, 30)]
    service = next(each for each in growths(samples, 1200.0) if each.name == "service")
    assert service.line is not None
    assert service.line.slope > BOUNDS["service"] > service.line.low
    assert not service.is_too_much


def test_the_warm_up_is_no_growth() -> None:
    """The first fifth of a run counts for nothing."""
    assert not grown("service", lambda at: min(40.0, at / 6))


def test_a_short_run_is_told_and_not_judged() -> None:
    """A few minutes show the warm-up alone."""
    assert not grown("service", lambda at: at, seconds=LEAST_SECONDS - 1)
    assert grown("service", lambda at: at, seconds=LEAST_SECONDS + 1)


def test_what_is_held_under_traffic_is_not_judged() -> None:
    """It comes and goes with the requests."""
    samples = [sample(at, is_calm=False, tasks=at) for at in range(0, 1200, 5)]
    samples += [sample(at) for at in range(0, 1200, 30)]
    tasks = next(each for each in growths(samples, 1200.0) if each.name == "tasks")
    assert (tasks.least, tasks.most) == (40, 40)


# -- ends

FAULT_BODIES = [
    plain_body(InvalidInput("no", correlation_id="q1")),
    openai_body(InvalidInput("no", correlation_id="q1")),
]


@pytest.mark.parametrize("body", FAULT_BODIES)
def test_an_error_that_the_service_owes_is_an_end(body: bytes) -> None:
    """In either shape; with its status, and of the request itself."""

    def end(status: int | None = 400, id: str = "q1") -> str:
        return end_by(refusal_in(body), status, id, is_patient=True)

    assert end() == end(None) == "invalid_input"
    assert end(500) == "wrong"
    assert end(id="q2") == "wrong"


def test_what_is_no_typed_error_is_wrong() -> None:
    """Such as what a server says that fails by itself."""
    assert end_by(refusal_in(b"Internal Server Error"), 500, "q1", is_patient=True) == "wrong"


def test_a_patient_caller_who_hears_of_the_deadline_alone_has_lost_the_request() -> None:
    """Nothing takes that long; to one in a hurry it is an answer."""
    body = plain_body(InvalidInput("late", correlation_id="q1"))
    late = body.replace(b"invalid_input", b"inference_timeout")
    ends = [end_by(refusal_in(late), 504, "q1", is_patient=each) for each in (True, False)]
    assert ends == ["lost", "inference_timeout"]


def test_a_request_is_finished_once_by_the_services_log() -> None:
    """Twice is one time too many; an answer that it knows nothing of is somebody else's."""
    told = Told(answered=["a", "b"], untaken=["c"])
    assert told_wrong(told, {"a": 1, "b": 1, "gone": 1}) == []
    assert told_wrong(told, {"a": 2, "b": 1}) == ["a: finished 2 times, by the log"]
    assert told_wrong(told, {"a": 1}) == ["b: answered, but not by the log"]
    assert told_wrong(told, {"a": 1, "b": 1, "c": 1}) == ["c: no answer, but finished by the log"]


def test_ends_are_added_up() -> None:
    """By way, over rounds, and over all ways."""
    told = Told()
    told.note("q1", "chat", ANSWERED, by_model=True)
    told.note("q2", "chat", "lost", "after its deadline")
    told.note("q3", "live", "left")
    assert told.answered == ["q1"]
    assert told.complaints == ["q2, chat: lost after its deadline"]
    both = added(told.ends, {"chat": {"lost": 2}})
    assert both == {"chat": {"answered": 1, "lost": 3}, "live": {"left": 1}}
    assert totals(both) == {"answered": 1, "lost": 3, "left": 1}


# -- what is read


def test_a_scrape_is_read() -> None:
    """Actors are those with a mailbox; the scrape itself isn't in hand."""
    told = scraped(
        "# HELP failsoft_event_loop_tasks Tasks.\n"
        "failsoft_event_loop_tasks 25.0\n"
        'failsoft_mailbox_messages{lane="control",path="root"} 0.0\n'
        'failsoft_mailbox_messages{lane="work",path="root"} 0.0\n'
        'http_server_active_requests{http_request_method="GET",url_scheme="http"} 1.0\n'
        'http_server_active_requests{http_request_method="POST",url_scheme="http"} 2.0\n'
        'failsoft_waiting_requests{model="a",path="root"} 3.0\n'
        "failsoft_loop_lag_seconds_count 4.0\n"
        "failsoft_loop_lag_seconds_sum 0.5\n"
    )
    assert (told.tasks, told.actors, told.series, told.in_hand) == (25, 1, 8, 5)
    assert told.lags == (4.0, 0.5)


def test_a_log_is_read_as_it_grows(tmp_path: Path) -> None:
    """Half a line is read once it is whole; a new round begins with no request."""
    file = tmp_path / "log"
    finished = b'{"level": "info", "event": "RequestFinished", "correlation_id": "q1"}\n'
    file.write_bytes(b"failsoft serves on http://127.0.0.1:1\n" + finished + finished[:30])
    log = ServiceLog(file)
    log.read()
    assert (log.address, log.finished["q1"]) == ("http://127.0.0.1:1", 1)
    with file.open("ab") as more:
        more.write(finished[30:])
    log.read()
    assert log.finished["q1"] == log.said["info: RequestFinished"] == 2
    log.begin_round()
    assert not log.finished


def test_an_error_in_the_log_that_no_fault_explains_is_counted(tmp_path: Path) -> None:
    """What a fault of ours has it say isn't; nor is a warning."""
    file = tmp_path / "log"
    lines = [
        *({"level": "error", "event": said} for said in ("alert.firing", "hangup_failed")),
        {"level": "warning", "event": "actor.failed"},
    ]
    file.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    log = ServiceLog(file)
    log.read()
    assert (log.errors, [line["event"] for line in log.shown]) == (1, ["hangup_failed"])


def node(path: str, **shows: Any) -> TreeNode:
    return TreeNode(path, "", "running", 0.0, 0, 0, 0, 0, 0, 0, True, shows, ())


def test_the_tree_is_at_rest_when_all_of_it_is_ready_and_nothing_else_is_there() -> None:
    """A spare, too; what a reload has left over is too much."""
    tree = [node(f"root/{n}", model_state="ready", standby=None) for n in range(MODELS)]
    assert restless(tree, WORKERS) == ()
    assert restless(tree, WORKERS + 1) == (f"{WORKERS + 1} workers, not {WORKERS}",)
    assert restless(tree[1:], WORKERS) == (f"{MODELS - 1} models, not {MODELS}",)
    tree[0] = node("root/0", model_state="loading", standby="loading")
    assert restless(tree, WORKERS) == ("root/0 is loading", "a spare is loading")


# -- what is drawn


def test_bursts_come_and_go() -> None:
    """A second by second look sees each of them, for some seconds."""
    bursts = Bursts(Random(1), 0.0)
    seen = [bursts.is_one_at(float(now)) for now in range(1000)]
    begun = sum(now and not before for before, now in pairwise([False, *seen]))
    assert bursts.begun == begun
    assert 20 <= begun <= 80
    assert 2 * begun <= sum(seen) <= 4 * begun


def test_questions_are_those_of_the_seed() -> None:
    """So a run can be made again, as far as real time lets it."""
    first, second, other = ([draw(Random(seed), n) for n in range(50)] for seed in (1, 1, 2))
    assert first == second != other


def test_the_tree_and_what_it_is_changed_to_can_be_served(tmp_path: Path) -> None:
    """But for a mistake that is made on purpose now and then; some change nothing."""
    before, file, refused, told = TREE.read_text(), tmp_path / "tree.toml", 0, set()
    for seed in range(40):
        file.write_text(changed(before, Random(seed)))
        try:
            told.add(msgspec.json.encode(load(file, {"SOAK_WEBHOOK": "http://here/"}).tree))
        except BadConfig as error:
            refused += 1
            (mistake,) = error.mistakes
            assert "nobody" in str(mistake)
    assert len(told) > 4
    assert 0 < refused < 20


# -- the report

WELL: dict[str, Any] = dict.fromkeys(Report.__struct_fields__, ()) | {
    **dict.fromkeys(("seed", "bursts", "alerts", "status", "errors"), 0),
    **{name: {} for name in ("signals", "said")},
    **{"seconds": 1200.0, "rate": 12.0, "rounds": 30, "asked": 3},
    "ends": {"chat": {"answered": 2, "worker_lost": 1}},
}


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({}, []),
        ({"asked": 4}, ["1 requests without an end"]),
        ({"ends": {"chat": {"answered": 2, "lost": 1}}}, ["1 requests lost"]),
        ({"ends": {"chat": {"answered": 2, "silent": 1}}}, ["1 requests silent"]),
        ({"status": None}, ["exit status None"]),
        ({"errors": 3}, ["3 errors in the log that no fault explains"]),
        ({"orphans": ("a",)}, ["1 processes outside of the service's family"]),
        ({"left": ("a", "b")}, ["2 files left behind"]),
        ({"not_ready": ("a",)}, ["1 models or workers that did not come back"]),
        ({"still_in_hand": ("1",)}, ["1 times that requests were in hand though nobody asked"]),
        (
            {"bad": ("q1: finished 2 times, by the log",)},
            ["1 requests that ended otherwise by the log"],
        ),
    ],
)
def test_what_is_not_as_it_must_be_is_said(figures: dict[str, Any], said: list[str]) -> None:
    assert Report(**WELL | figures).wrongs() == said


def leaking() -> Report:
    samples = tuple(sample(at, tasks=40 + at // 60) for at in range(30, 1200, 30))
    return Report(**WELL | {"samples": samples, "growths": growths(samples, 1200.0)})


def test_what_grows_is_said_with_its_slope_and_its_bound() -> None:
    """A task a minute is sixty an hour."""
    (said,) = leaking().wrongs()
    assert said.startswith("tasks of its event loop: grows by +60.00 an hour (")
    assert said.endswith("of which 1 are allowed")


def test_the_page_has_the_figures_between_its_comments() -> None:
    """What stands around them stays; a page without the comments is told of."""
    page = filled(f"before\n{BEGIN}\nold\n{END}\nafter\n", leaking())
    assert page.startswith(f"before\n{BEGIN}\n20 minutes, seed 0: 3 requests")
    assert page.endswith(f"{END}\nafter\n")
    assert "| chat | 3 | 2 | 1 worker_lost | 0 | 0 | 0 | 0 | 0 |" in page
    assert "| tasks of its event loop | 44.0 | 59.0 | +60.00 |" in page
    assert "old" not in page
    with pytest.raises(ValueError, match="has it 0 times"):
        filled("nothing", leaking())


@pytest.mark.parametrize(("status", "exits"), [(0, 0), (1, 1)])
def test_the_command_writes_the_figures_and_tells_by_its_status(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    exits: int,
) -> None:
    """A run that isn't well is no success."""

    async def ran(seed: int, seconds: float, rate: float, folder: Path, tell: object) -> Report:
        assert (seconds, rate, folder) == (30.0, 5.0, tmp_path / "made" / "soak")
        return Report(**WELL | {"seed": seed, "status": status})

    monkeypatch.setattr(command, "run", ran)
    page = tmp_path / "page.md"
    page.write_text(f"{BEGIN}\n{END}\n")
    written = tmp_path / "made" / "soak.json"
    arguments = f"--minutes 0.5 --seed 5 --rate 5 --output {written} --docs {page}"
    assert command.main(arguments.split()) == exits
    said = capsys.readouterr()
    assert said.out.startswith("0.5 minutes, seed 5\n")
    assert said.err == ("NOT as it must be: exit status 1\n" if exits else "")
    assert msgspec.json.decode(written.read_bytes())["seed"] == 5
    assert "seed 5" in page.read_text()
