"""The benchmark of the way over HTTP: each that is measured answers, and is held against both."""

from __future__ import annotations

import pytest
from bench.http.command import figures_of
from bench.http.load import Sample, send
from bench.http.served import ASKING, ECHO, OURS, SERVED, Served

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("name", [ECHO, ASKING, OURS])
async def test_each_answers(name: str) -> None:
    """More connections than there are requests are no harm."""
    with Served(name) as served:
        sample = await send(served, requests=20, connections=3)
        assert sample.per_second > 0
        assert (await send(served, requests=1, connections=2)).per_second > 0


async def test_an_answer_that_is_an_error() -> None:
    """Fails the benchmark: it would be quicker than any other."""
    with Served(ECHO, "/nowhere") as served, pytest.raises(RuntimeError, match="404 Not Found"):
        await send(served, requests=2, connections=1)


def test_each_is_held_against_both_peers() -> None:
    """Round by round; the aim is about ours and a bare Starlette."""
    samples = {name: [Sample(100.0 * n, 10.0 / n) for n in (1, 2)] for name in SERVED}
    samples[ECHO] = [Sample(200.0 * n, 5.0 / n) for n in (1, 2)]
    figures = figures_of(samples, connections=16)
    assert len(figures) == 4 * (len(SERVED) - 2)
    (judged,) = [figure for figure in figures if figure.is_met is not None]
    assert judged.ratio is not None
    assert (judged.name, judged.peer, judged.ratio.median) == (
        *("failsoft, 16 connections", ECHO, 0.5),
    )
    assert judged.is_met
