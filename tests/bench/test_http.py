"""The benchmark of the way over HTTP: how servers are asked, and what is made of the answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from bench.http.connections import Answers, send
from bench.http.entries import AIMED_CONNECTIONS, OBSERVED, OURS, PEERS, Entry
from bench.http.figures import figures_of, table_of
from bench.http.rounds import Sample, Samples, Size, measure
from bench.servers.asked import BATCH

pytestmark = pytest.mark.anyio

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
STARLETTE = next(entry for entry in PEERS if entry.name == "Starlette")
ONE_ROUND = Size(connections=(1, 3), starts=1, rounds=1, seconds=60.0, requests=20)


@asynccontextmanager
async def answering(*pieces: bytes) -> AsyncIterator[int]:
    """Answer each request with the same pieces, a write each; give the port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def ask(port: int, requests: int) -> Answers:
    return await send(port, connections=2, seconds=60.0, requests=requests)


async def test_as_many_are_sent_as_were_asked_for() -> None:
    """More connections than there are requests are no harm."""
    async with answering(ANSWER) as port:
        assert (await ask(port, 7)).requests == 7
        assert (await ask(port, 1)).requests == 1


async def test_an_answer_comes_in_pieces() -> None:
    """It counts when it is whole; a header's name may be written in any case."""
    async with answering(ANSWER[:20], ANSWER[20:-1].lower(), ANSWER[-1:]) as port:
        answers = await ask(port, 5)
    assert answers.requests == 5
    assert 0 < answers.p50 <= answers.p99


async def test_an_answer_comes_in_chunks() -> None:
    """Its length isn't told before, and it is whole with its last chunk, as Ray Serve has it."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with answering(head, b"2\r\n{}\r\n", b"0\r\n\r\n") as port:
        assert (await ask(port, 5)).requests == 5


async def test_a_server_that_closes_a_connection_after_an_answer() -> None:
    """Gets another one; a proxy that reads its configuration anew does so."""
    async with answering(ANSWER.replace(b"Content", b"Connection: close\r\nContent")) as port:
        assert (await ask(port, 5)).requests == 5


async def test_an_answer_that_is_an_error() -> None:
    """Fails the benchmark: it would be quicker than any other."""
    async with answering(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n") as port:
        with pytest.raises(RuntimeError, match="503 Busy"):
            await ask(port, 1)


async def test_ours_and_a_peer_are_measured() -> None:
    """Both answer, each in its turn, and their processes' time is told."""
    left_out: dict[str, str] = {}
    samples = await measure([OURS, STARLETTE], ONE_ROUND, 1, left_out)
    assert not left_out
    for by_name in samples.values():
        assert [sample.requests for sample in by_name[OURS.name]] == [20]
        assert [sample.requests for sample in by_name[STARLETTE.name]] == [20]


async def test_a_peer_that_fails_is_left_out() -> None:
    """With the reason, and without a figure: it isn't beaten. The others are measured."""
    broken = Entry(name="broken", server="starlette", environment={BATCH: "no number"})
    left_out: dict[str, str] = {}
    samples = await measure([STARLETTE, broken], ONE_ROUND, 1, left_out)
    assert "invalid literal" in left_out["broken"]
    assert [list(by_name) for by_name in samples.values()] == [[STARLETTE.name]] * 2


def drawn_up(entries: list[Entry]) -> Samples:
    """Give ours 100 requests a second, and each peer twice as many, then four times."""

    def samples(factor: int) -> list[Sample]:
        return [Sample(1, 100.0 * factor**n, 1.0, 2.0, 10.0 / factor) for n in (1, 2)]

    by_name = {entry.name: samples(2) for entry in entries} | {OURS.name: samples(1)}
    return {1: by_name, AIMED_CONNECTIONS: by_name}


def test_each_peer_is_held_against_ours() -> None:
    """Round by round; the aims are about requests a second, with 16 at once."""
    figures = figures_of(drawn_up([OURS, *PEERS]))
    rivals = [peer for peer in PEERS if peer.is_rival]
    assert len(figures) == 2 * (3 * len(rivals) + len(PEERS) - len(rivals))
    judged = [figure for figure in figures if figure.is_met is not None]
    assert [figure.peer for figure in judged] == [peer.name for peer in PEERS if peer.aim]
    assert {figure.name for figure in judged} == {f"{OURS.name}, {AIMED_CONNECTIONS} connections"}
    ratios = {figure.ratio for figure in judged}
    assert [(ratio.least, ratio.most) for ratio in ratios if ratio] == [(0.25, 0.5)]


def test_what_does_a_part_of_it_cannot_win() -> None:
    """A bare Starlette is a limit; those that serve a model are rivals."""
    won = {figure.peer for figure in figures_of(drawn_up([OURS, *PEERS])) if figure.peer_wins}
    assert won == {peer.name for peer in PEERS if peer.is_rival}


def test_telemetry_is_held_against_ours_without() -> None:
    """What it costs is no peer's win."""
    figures = figures_of(drawn_up([OURS, *OBSERVED]))
    assert [(figure.peer, figure.peer_wins) for figure in figures] == [(OURS.name, False)] * 4


def test_the_table_has_all_that_were_measured() -> None:
    """A row for each, and a column for each number of connections."""
    table = table_of(drawn_up([OURS, STARLETTE]))
    assert table.columns == ("server", "1 at once", "16 at once")
    assert table.rows[1] == ("Starlette", *["300; 1.00, 2.00; 5"] * 2)
