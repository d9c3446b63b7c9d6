"""The benchmark of engines: what is asked, what comes out of it, and both ways to a model."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from bench.engines import texts
from bench.engines.arriving import draw
from bench.engines.generation import of_all_at_once, of_arriving, of_one
from bench.engines.noop import measure_way
from bench.engines.noop_engine import AT_ONCE
from bench.engines.static import serve
from bench.engines.supervised import supervised
from bench.engines.texts import BATCH, Text
from bench.engines.took import Took, processor_seconds

from failsoft.gpu.script import Say, Script
from failsoft.gpu.scripted import scripted

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


# -- the chart


def test_tokens_are_drawn_as_they_came(tmp_path: Path) -> None:
    """As PNG and SVG."""
    pytest.importorskip("matplotlib")
    drawn = draw({"ours": [(0.0, 0), (1.0, 2)]}, tmp_path / "arriving")
    assert drawn == ["arriving.png", "arriving.svg"]
    assert all((tmp_path / name).stat().st_size > 1000 for name in drawn)
