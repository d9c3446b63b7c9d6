"""The benchmark of engines: what is asked, what comes out of it, and both ways to a model."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from bench.engines import charts, command, main, texts
from bench.engines.generation import of_all_at_once, of_arriving, of_one
from bench.engines.noop import measure_way
from bench.engines.noop_engine import AT_ONCE
from bench.engines.size import QUICK
from bench.engines.static import serve
from bench.engines.supervised import supervised
from bench.engines.texts import BATCH, Text
from bench.engines.took import Took, processor_seconds
from bench.figures import Figure, against, lines_of

from failsoft.gpu.script import Say, Script
from failsoft.gpu.scripted import scripted


def figure(ours: float, theirs: float, **rest: object) -> Figure:
    return against("a thing", "things", [(ours, theirs)], peer="a peer", **rest)


# -- what is asked


def test_texts_that_come_over_time_are_the_same_each_time() -> None:
    """Ours and the peer get the same, in every run; the first comes at once."""
    coming = texts.arriving(4.0, 16, 96)
    assert coming == texts.arriving(4.0, 16, 96)
    assert len(coming) == BATCH
    assert coming[0].at == 0
    assert [text.at for text in coming] == sorted(text.at for text in coming)
    assert coming[-1].at <= 4
    assert all(16 <= text.max_tokens <= 96 for text in coming)


@pytest.mark.parametrize("make", [texts.of_one_length, texts.of_all_lengths])
def test_prompts_of_a_batch_differ(make: Callable[[int], list[Text]]) -> None:
    """No two are the same, so that no cache of a peer could answer for another."""
    asked = make(8)
    assert len({text.prompt for text in asked}) == BATCH


# -- figures


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


def test_figures_of_generation() -> None:
    """Tokens are counted by the time that they took, of the clock or the processor."""
    ours = Took(2.0, 1.0, 100, (0.1, 0.3), (1.0, 2.0))
    theirs = Took(4.0, 2.0, 100, (0.4, 0.4), (4.0, 4.0))
    rounds = [(ours, theirs)]
    by_processor, by_clock = of_one(rounds)
    assert (by_processor.ours.median, by_clock.ours.median) == (10.0, 20.0)
    rate, half, all_ = of_all_at_once("two", rounds)
    assert (rate.ours.median, half.ours.median, all_.ours.median) == (100.0, 0.2, 0.3)
    assert rate.is_met
    clock, processor, first, last = of_arriving(rounds)
    assert [each.ratio and each.ratio.median for each in (clock, processor, first, last)] == [
        2.0,
        2.0,
        0.5,
        0.375,
    ]


# -- the peer


class Scribe:
    """Answer at once; keep what was asked together."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def generate(self, asked: Sequence[Text]) -> tuple[list[int], list[float]]:
        self.batches.append(len(asked))
        counts = [text.max_tokens for text in asked]
        return counts, [time.perf_counter()] * max(counts)


def test_static_batches_take_what_has_come() -> None:
    """At most 16 at once, the rest in the next; a row's tokens count up to its own most."""
    scribe = Scribe()
    took = serve(scribe, [Text("again", 1 + number % 2) for number in range(BATCH + 4)])
    assert scribe.batches == [BATCH, 4]
    assert took.tokens == 30
    assert len(took.firsts) == len(took.lasts) == BATCH + 4
    assert took.made[-1][1] == 30


def test_processor_time_of_a_process() -> None:
    """It is what the process itself knows, to a tick."""
    before = time.process_time()
    told = processor_seconds(os.getpid())
    assert before - 0.02 <= told <= time.process_time() + 0.02


# -- ours


@pytest.mark.anyio
async def test_supervised_texts_are_streamed_and_counted() -> None:
    """Real process: each has its first token, and after a SIGKILL the next worker answers."""
    async with supervised(scripted(Script(otherwise=[Say("one two three")]))) as model:
        asked = [Text("a", 3), Text("b", 2)]
        took = await model.serve(asked)
        assert took.tokens == 5
        assert len(took.firsts) == 2
        assert [tokens for _, tokens in took.made] == [0, 1, 2, 3, 4, 5]
        first = model.pid
        await model.kill()
        await model.ready()
        assert model.pid != first
        assert (await model.serve(asked)).tokens == 5


@pytest.mark.anyio
async def test_a_way_is_measured_with_so_many_requests() -> None:
    """They are sent 64 at a time and one at a time, and none is left out."""
    asked = 0

    async def ask() -> None:
        nonlocal asked
        asked += 1

    way = await measure_way(ask, os.getpid(), requests=1000)
    assert asked == 1000 + 1000 + 100
    assert way.alone > 0
    assert AT_ONCE == 64


# -- the command


def report(*figures: Figure) -> command.Report:
    return command.Report(
        machine="x86_64",
        cpus=2,
        versions={"Python": "3.11"},
        model="a model",
        threads=1,
        size=QUICK,
        seconds=1.0,
        figures=figures,
        made={"ours": [(0.0, 0), (1.0, 2)]},
    )


def test_the_command_writes_what_it_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings and each figure are printed, and all is in the JSON."""
    asked_for: list[object] = []

    async def measure(*arguments: object) -> command.Report:
        asked_for.extend(arguments)
        return report(figure(1, 2, at_least=0.9))

    monkeypatch.setattr(command, "measure", measure)
    monkeypatch.setattr(command, "ensure_smollm2", lambda: tmp_path)
    monkeypatch.setattr(charts, "draw", lambda figures, made, folder: [folder / "drawn.svg"])
    main(["--quick", "--only", "noop", "killed", "--output", str(tmp_path)])
    assert asked_for == [["noop", "killed"], tmp_path, 1, QUICK]
    said = capsys.readouterr().out
    assert "a model in float32, threads: 1; Python 3.11" in said
    assert "NOT AS IT MUST BE; the peer wins" in said
    written = msgspec.json.decode((tmp_path / "engines.json").read_bytes())
    assert written["figures"][0]["ratio"]["median"] == 0.5


def test_what_was_measured_is_drawn(tmp_path: Path) -> None:
    """Ratios in one chart, tokens by the time in another, as PNG and SVG."""
    pytest.importorskip("matplotlib")
    told = report(figure(1, 2, at_least=0.9), figure(2, 3, less_is_better=True, at_most=1.2))
    drawn = charts.draw(told.figures, told.made, tmp_path)
    assert sorted(path.suffix for path in drawn) == [".png", ".png", ".svg", ".svg"]
    assert all(path.stat().st_size > 1000 for path in drawn)


def test_more_is_better_in_the_chart_of_ratios() -> None:
    """A time that is half of the peer's is drawn as twice as good."""
    assert charts.as_gain(0.5, figure(1, 2, less_is_better=True)) == 2.0
    assert charts.as_gain(0.5, figure(1, 2)) == 0.5


def test_without_matplotlib_nothing_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said what to install."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert charts.draw([], {}, tmp_path) == []
    assert "matplotlib" in capsys.readouterr().out
