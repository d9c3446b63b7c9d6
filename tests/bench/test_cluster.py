"""The benchmark of workers elsewhere, and of streams that go on: each side is a real one."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.cluster.gap import gap
from bench.cluster.ways import ways

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("plain_logs")]


@pytest.fixture
def anyio_backend() -> str:
    """Run in real time: real processes are waited for."""
    return "asyncio"


async def test_each_way_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """By TCP, by a socket pair, and by Ray's own call."""
    # Their workers find the benchmarks where this process does.
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    figures = await ways(requests=100, rounds=1)
    assert [figure.peer for figure in figures] == 2 * ["a socket pair"] + 2 * ["a Ray actor"]
    assert all(figure.ours.median > 0 for figure in figures)


async def test_a_stream_is_interrupted_and_goes_on(smollm2: Path) -> None:
    """The gap is longer than nothing, and what it is made of at the least is measured."""
    (figure,) = await gap(smollm2, threads=1, rounds=1)
    assert figure.theirs is not None
    assert figure.ours.median > 0
    assert figure.theirs.median > 0
