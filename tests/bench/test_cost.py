"""The benchmark of costs: what is looked at of real processes, and what becomes of it."""

from __future__ import annotations

import os

from bench.cost.cold_start import Model, Started, cold_start
from bench.cost.command import of_start, table_of
from bench.cost.imports import import_ms
from bench.cost.memory import Memory, memory_of

TINY = Model("tiny-text", "text", "failsoft:tiny-text")


def test_an_import_is_timed_in_a_process_of_its_own() -> None:
    """What this one has imported already takes its time all the same."""
    assert import_ms("failsoft.messages") > 1


def test_the_memory_of_a_process() -> None:
    """Proportional is at most what is resident."""
    service = next(memory_of(os.getpid()))
    assert service.part == "service"
    assert 10 < service.proportional <= service.resident


def test_a_service_is_started_asked_and_looked_at() -> None:
    """It listens before it answers; each of its processes says what it is for; none is left."""
    started = cold_start(TINY)
    assert 0 < started.listens < started.first
    parts = [memory.part for memory in started.memory]
    assert sorted(parts) == ["reaper", "service", "template", "worker"]


def test_figures_and_table_of_a_start() -> None:
    memory = (Memory("service", 60.4, 43.2), Memory("worker", 329.0, 171.0))
    rounds = [Started(1.0, 3.0, memory), Started(2.0, 5.0, memory), Started(3.0, 4.0, memory)]
    listens, first = of_start(TINY, rounds)
    assert (listens.ours.median, first.ours.median) == (2.0, 4.0)
    assert first.name == "tiny-text, start to the first token"
    assert table_of({"tiny-text": rounds[0]}).rows == (
        ("tiny-text", "service", "60", "43"),
        ("tiny-text", "worker", "329", "171"),
    )
