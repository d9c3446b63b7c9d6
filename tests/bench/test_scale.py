"""The benchmark of scale: trees are started, looked at and stopped; what comes of it is judged."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from bench.names import FURTHER
from bench.scale import alone
from bench.scale.chunks import chunk_us
from bench.scale.measured import QUANTITIES, Measured, growth, power, table_of
from bench.scale.modelled import beat_seconds, modelled
from bench.scale.pick import figures, pick_us
from bench.scale.tree import POOL, Kind, fleet, names_of

from failsoft.actors import System
from failsoft.supervisors import child, supervisor
from failsoft.telemetry import MetricsActor

SMALL = Measured(
    kind="process",
    workers=100,
    ready=1.0,
    stopped=1.0,
    memory=100 << 20,
    threads=0,
    descriptors=300,
    loop=0.01,
    process=0.02,
    frames=200.0,
    events=200.0,
    scrape=0.01,
    scrape_lines=1000,
    scrape_bytes=100_000,
    tree=0.001,
    tree_json=0.0001,
    tree_bytes=50_000,
    picture=0.005,
    picture_bytes=10_000,
)
LARGE = msgspec.structs.replace(
    SMALL,
    workers=1000,
    ready=100.0,
    memory=1000 << 20,
    descriptors=3000,
    loop=0.19,
    frames=2000.0,
    scrape_lines=1000,
)


def test_it_can_be_run_by_name() -> None:
    assert "scale" in FURTHER


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing, and have no health checks, whose threads come and go."""
    monkeypatch.setattr(alone, "_TO_SETTLE", 0.0)
    heard = supervisor("telemetry", child("metrics", MetricsActor))
    monkeypatch.setattr(alone, "telemetry", lambda: heard)


@pytest.mark.parametrize(("kind", "threads", "descriptors"), [("thread", 9, 6), ("plain", 0, 0)])
@pytest.mark.usefixtures("at_once")
def test_a_tree_is_started_looked_at_and_stopped(
    kind: Kind, threads: int, descriptors: int
) -> None:
    """Each of three workers in threads has three of them, and both ends of its wire."""
    measured = asyncio.run(alone.measure(kind, 3, 0.0))
    assert (measured.kind, measured.workers) == (kind, 3)
    assert (measured.threads, measured.descriptors) == (threads, descriptors)
    assert measured.scrape_lines > 0
    assert measured.tree_bytes > 0
    assert measured.picture_bytes > 0


def test_models_are_in_pools_of_a_hundred_at_most() -> None:
    """The last pool has what is left."""

    async def sizes() -> list[int]:
        async with System() as system:
            spec = fleet("plain", 2 * POOL + 1)
            await system.spawn(spec.start, spec.id)
            (top,) = system.tree()
            return [len(router.children[0].children) for router in top.children]

    assert asyncio.run(sizes()) == [POOL, POOL, 1]
    assert names_of(2 * POOL + 1) == ["text-1", "text-2", "text-3"]


@pytest.mark.parametrize(
    ("power", "said"),
    [
        (None, "-"),
        (0.0, "stays"),
        (0.5, "less than linear, n^0.5"),
        (1.0, "linear"),
        (1.3, "WORSE THAN LINEAR, n^1.3"),
    ],
)
def test_how_a_figure_grows_is_said_in_words(power: float | None, said: str) -> None:
    assert growth(power) == said


def test_the_power_that_a_figure_grows_with() -> None:
    """From ten times as many workers; of nothing at all none is known."""
    assert power(SMALL, LARGE, lambda tree: tree.descriptors) == pytest.approx(1.0)
    assert power(SMALL, LARGE, lambda tree: tree.ready) == pytest.approx(2.0)
    assert power(SMALL, LARGE, lambda tree: tree.threads) is None


def test_the_table_has_each_figure_and_how_it_grows() -> None:
    """Between the largest two trees; of one tree alone nothing grows."""
    table = table_of("processes", [SMALL, LARGE])
    assert table.columns == ("", "100", "1,000", "grows")
    assert table.rows[0] == ("all ready, s", "1.00", "100.00", "WORSE THAN LINEAR, n^2.0")
    assert len(table.rows) == len(QUANTITIES)
    assert {row[-1] for row in table_of("one", [SMALL]).rows} == {"-"}


def test_what_is_larger_is_calculated() -> None:
    """100 µs a heartbeat, and 1 MiB a worker: of 100,000, one loop can't hear each half second."""
    rows = {row[0]: row[1:] for row in modelled([SMALL, LARGE], [SMALL, LARGE], [SMALL]).rows}
    assert rows["memory of the service, MiB"] == ("1,000", "10,000", "100,000")
    assert rows["heartbeats each 0.5 s, % of a core"] == ("20", "200", "2,000")
    assert rows["heartbeats each 10 s, % of a core"] == ("1", "10", "100")
    assert rows["/metrics, ms of the loop"] == ("100", "1,000", "10,000")
    assert beat_seconds([LARGE]) == pytest.approx(95e-6)


def test_a_chunk_of_a_stream_is_timed() -> None:
    """By a worker in a process, which is gone afterwards."""
    assert asyncio.run(chunk_us(2)) > 0


def test_a_pick_and_a_way_are_timed_for_each_number_of_replicas() -> None:
    """The pick of a thousand is what the aim is about."""
    assert pick_us(1, 10) > 0
    found = asyncio.run(figures((2, 1000), 1, 10))
    assert [(figure.name, figure.at_most) for figure in found] == [
        ("a pool's pick, 2 replicas", None),
        ("a pool's pick, 1,000 replicas", 5.0),
        ("the way through router and pool, 2", None),
        ("the way through router and pool, 1,000", None),
        ("one pool's start and stop, 2", None),
        ("one pool's start and stop, 1,000", None),
    ]
