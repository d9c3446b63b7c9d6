"""The benchmark of texts over HTTP: what is asked, who asks, and what is told of it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest
from bench.engines.texts import Text
from bench.engines.took import Took
from bench.generate import client, prompts, sides
from bench.generate.answers import Answer, Sample, percentile, sample_by_hand, sample_of
from bench.generate.figures import figures_of, table_of
from bench.generate.rounds import Rounds, measure
from bench.generate.sides import BY_HAND, OURS
from bench.generate.size import Size
from bench.servers.completion_events import events_of
from bench.servers.smollm2 import Piece

TEXT = Text("hello", 3)


# -- what is asked


def test_texts_by_the_clock_are_the_same_for_each_server() -> None:
    """All get the same, at the same times; the first comes at once."""
    coming = prompts.arriving(0, 4.0, 10.0, (8, 24))
    assert coming == prompts.arriving(0, 4.0, 10.0, (8, 24))
    assert coming[0].at == 0
    assert all(8 <= text.max_tokens <= 24 for text in coming)
    # 40 on average, with a deviation of 6.
    assert 20 < len(coming) < 60


def test_no_two_rounds_begin_alike() -> None:
    """What a server keeps of one round's prompts is of no use to it in the next."""
    first, second = prompts.at_once(0, 8), prompts.at_once(1, 8)
    beginnings = {text.prompt[:2] for text in first}
    assert beginnings.isdisjoint(text.prompt[:2] for text in second)


# -- who asks


@contextlib.asynccontextmanager
async def server(*parts: bytes, status: str = "200 OK") -> AsyncIterator[int]:
    """Answer each request with ``parts``, in chunks; then close. Give the port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for part in parts:
            writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


def ask(*parts: bytes, status: str = "200 OK", patience: float = 60.0) -> Answer:
    async def run() -> Answer:
        async with server(*parts, status=status) as port:
            (answer,), _ = await client.ask_all(port, [TEXT], patience)
        return answer

    return asyncio.run(run())


ONE = b'data: {"choices":[{"text":"one"}]}\n\n'
END = (
    b'data: {"choices":[{"text":" two","finish_reason":"length"}],'
    b'"usage":{"completion_tokens":3}}\n\n'
)


def test_tokens_are_counted_as_the_server_says() -> None:
    """A piece may hold two tokens; the usage tells."""
    answer = ask(ONE, END)
    assert (answer.text, answer.tokens, len(answer.pieces), answer.fault) == ("one two", 3, 2, "")


def test_events_may_be_cut_anywhere() -> None:
    """Where a chunk ends says nothing."""
    whole = ONE + END
    answer = ask(*(whole[at : at + 7] for at in range(0, len(whole), 7)))
    assert (answer.text, answer.fault) == ("one two", "")


def test_without_usage_each_piece_is_a_token() -> None:
    """As with a server that tells none."""
    answer = ask(ONE, b'data: {"choices":[{"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n', b"")
    assert (answer.tokens, answer.fault) == (1, "")


@pytest.mark.parametrize(
    ("parts", "status", "fault"),
    [
        ((ONE,), "200 OK", "the stream was cut off"),
        ((ONE, b""), "200 OK", "the stream was cut off"),
        ((ONE, b'data: {"error":"no memory"}\n\n'), "200 OK", "no memory"),
        ((ONE, b'data: {"error":{"message":"No.","code":"late"}}\n\n'), "200 OK", "late"),
        ((), "503 Service Unavailable", "http/1.1 503 service unavailable"),
    ],
)
def test_what_is_no_answer_is_a_fault(parts: tuple[bytes, ...], status: str, fault: str) -> None:
    """A stream that ends early, one that ends with an error, and a refusal."""
    assert fault in ask(*parts, status=status).fault


def test_one_who_waits_too_long_leaves() -> None:
    """What comes after the patience is no answer, whatever it is."""
    assert ask(ONE, END, patience=0.0).fault == "too late"


# -- what is told


def sample(
    per_second: float = 1.0, firsts: Sequence[float] = (1.0,), done: int = 1, asked: int = 1
) -> Sample:
    return Sample(
        wall=1.0,
        processor=1.0,
        asked=asked,
        done=done,
        done_tokens=round(per_second),
        firsts=tuple(firsts),
        gaps=(0.1,),
        made=((1.0, 1),),
        faults=("too late",) * (asked - done),
        texts=("a text",),
    )


def test_who_never_had_a_token_counts_as_the_slowest() -> None:
    """One who gave up would make a server look fast."""
    assert sample(firsts=[1.0, 2.0], asked=2).late_first == 2.0
    assert sample(firsts=[1.0], asked=2).late_first is None


def test_a_percentile_is_one_of_the_values() -> None:
    """The least that the share doesn't exceed."""
    assert percentile(range(1, 101), 0.99) == 99
    assert percentile([5.0], 0.99) == 5.0


def test_gaps_are_within_an_answer() -> None:
    """What lies between one caller's token and another's is no wait of anybody."""
    answers = [Answer(0.0, (1.0, 1.5), 2), Answer(0.5, (2.0, 2.1), 2, fault="too late")]
    made = sample_of(answers, 3.0, 1.0)
    assert made.firsts == (1.0, 1.5)
    assert made.gaps == pytest.approx((0.5, 0.1))
    assert (made.asked, made.done, made.done_tokens) == (2, 1, 2)


def test_by_hand_is_late_by_its_last_token() -> None:
    """It has no callers who leave: what came after their patience doesn't count."""
    took = Took(4.0, 3.0, 20, (1.0, 1.0), (2.0, 4.0), ((0.0, 0), (1.0, 2), (1.5, 4)))
    made = sample_by_hand(took, 3.0)
    assert (made.done, made.done_tokens, made.faults) == (1, 10, ("too late",))
    assert made.gaps == (0.5,)


def rounds_of(**peers: Sample) -> Rounds:
    samples = {name: [each] for name, each in peers.items()}
    return Rounds(samples, samples, samples, rate=1.0, patience=5.0)


def test_a_peer_that_made_nothing_has_no_ratio() -> None:
    """The table tells of it, and no figure is against nothing."""
    nothing = sample(0.0, [], done=0)
    made = rounds_of(**{OURS: sample(3.0), "peer": nothing})
    assert not any(figure.unit == "tokens a second" for figure in figures_of(made))
    table = table_of(made)
    assert ("peer", "1", "0", "1 too late", "never", "never") in table.rows
    assert "peer, 16 at once: 1 too late" in table.note


def test_by_hand_is_the_limit_and_no_rival() -> None:
    """It has no HTTP, and gives nobody a stream."""
    made = rounds_of(**{OURS: sample(3.0), BY_HAND: sample(5.0), "peer": sample(4.0)})
    winners = {figure.peer for figure in figures_of(made) if figure.peer_wins}
    assert winners == {"peer"}


def test_events_are_those_of_the_openai_api() -> None:
    """One for each token of each text; who has ended gets none."""
    steps: list[list[Piece | None]] = [
        [Piece("a"), Piece("b", "stop")],
        [Piece("c", "length"), None],
    ]
    first, second = events_of(steps)
    assert '"completion_tokens":1' in first[1]
    assert '"usage"' not in first[0]
    assert second[1] == ""
    assert '"finish_reason":"length"' in second[0]


# -- turns


class Scripted:
    """Note who is asked, and who stands still meanwhile."""

    def __init__(self, name: str, still: set[str], log: list[tuple[str, int, set[str]]]) -> None:
        self.name = name
        self._still = still
        self._log = log

    async def serve(self, texts: Sequence[Text], patience: float) -> Sample:
        self._log.append((self.name, len(texts), set(self._still)))
        return sample(16.0, done=1 if patience > 100 else 0)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        self._still.add(self.name)
        yield
        self._still.remove(self.name)


def test_while_one_is_asked_all_others_stand_still() -> None:
    """They take turns, and what one has left undone is done before the next has its turn."""
    still: set[str] = set()
    log: list[tuple[str, int, set[str]]] = []
    three = [Scripted(name, still, log) for name in (OURS, BY_HAND, "peer")]
    size = Size(alone_rounds=2, at_once_rounds=1, arriving_rounds=1)
    asyncio.run(measure(three, size))
    names = {each.name for each in three}
    assert all(others == names - {name} for name, _, others in log)
    # The round that warms up, two alone, one of 16; then each is late, and asked once more.
    order = [name for name, _, _ in log]
    assert order[:12] == [OURS, BY_HAND, "peer"] * 4
    assert order[12:] == [name for name in (OURS, BY_HAND, "peer") for _ in range(2)]
    assert [count for _, count, _ in itertools.islice(log, 13, None, 2)] == [1, 1, 1]


# -- ours, in earnest


def test_our_service_streams_to_the_client() -> None:
    """A service with a small model, over HTTP, and still there after it stood still."""

    async def run(port: int) -> list[Answer]:
        answers, _ = await client.ask_all(port, [TEXT, TEXT], 60.0)
        return answers

    with sides.ours("failsoft:tiny-text") as server:
        with server.paused():
            pass
        answers = asyncio.run(run(server.port))
        assert server.processor() > 0
    assert [(answer.tokens, answer.fault) for answer in answers] == [(3, ""), (3, "")]
