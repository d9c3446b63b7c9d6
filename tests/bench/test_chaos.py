"""Faults: what is asked, how its ends are told apart and counted, and when all is well again."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from bench.chaos.asking import ask, judge
from bench.chaos.ledger import IN_A_ROW, Count, End, Kind, per_second, recovered_after
from bench.chaos.phase import (
    NEIGHBOURS,
    OVERLOAD,
    PHASES,
    QUICK,
    RATE,
    Fault,
    Phase,
    Question,
    questions,
)
from bench.chaos.tables import tables
from bench.chaos.trial import trial

OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: %d\r\n\r\n%b"


def response(head: bytes, body: bytes) -> bytes:
    return head % (len(body), body)


def end(
    at: float, seconds: float = 0.1, kind: Kind = Kind.ANSWERED, *, guilty: bool = False
) -> End:
    return End(Question(at, f"prompt {at}", is_guilty=guilty), kind, at, at + seconds)


def test_every_server_is_asked_the_same() -> None:
    """The questions come from the seed alone, but for those that overload a server."""
    for phase in (*PHASES, *QUICK):
        once, again = questions(phase, 1, 10.0), questions(phase, 1, 10.0)
        assert once == again
        if not phase.flood:
            assert questions(phase, 1, 99.0) == once
        assert questions(phase, 2, 10.0) != once


def test_questions_come_in_order_and_no_two_are_alike_but_the_harmful_ones() -> None:
    """Whoever gets another's answer sees it; a harmful prompt is always the same one."""
    for phase in (*PHASES, *QUICK):
        asked = questions(phase, 1, 10.0)
        assert [each.at for each in asked] == sorted(each.at for each in asked)
        innocent = [each.prompt for each in asked if not each.is_guilty]
        assert len(set(innocent)) == len(innocent)
        guilty = [each for each in asked if each.is_guilty]
        assert len(guilty) == len(phase.guilty_at)
        assert len({each.prompt for each in guilty}) == bool(guilty)
        assert all(phase.guilty in each.prompt for each in guilty)


def test_a_harmful_prompt_has_neighbours() -> None:
    """Beside each there are others in the same moment, which share its batch."""
    phase = next(phase for phase in PHASES if phase.guilty)
    at = phase.calm + phase.guilty_at[0]
    together = [each for each in questions(phase, 1, 10.0) if each.at == at]
    assert Counter(each.is_guilty for each in together) == {False: NEIGHBOURS, True: 1}


def test_the_load_is_as_it_was_said_to_be() -> None:
    """The usual rate over all of a phase, and in a flood a multiple of the capacity."""
    calm = Phase(name="calm", title="", calm=0.0, after=400.0)
    assert len(questions(calm, 1, 10.0)) == pytest.approx(400 * RATE, rel=0.05)
    flood = Phase(name="flood", title="", calm=0.0, after=100.0, flood=100.0)
    assert len(questions(flood, 1, 10.0)) == pytest.approx(100 * OVERLOAD * 10.0, rel=0.05)


@pytest.mark.parametrize(
    ("data", "seconds", "kind", "status"),
    [
        (response(OK, b'{"text":"hi"}'), 0.1, Kind.ANSWERED, 200),
        (response(OK, b'{"text":"hi"}'), 9.0, Kind.ANSWERED, 200),
        (response(OK, b'{"text":"hi"}') * 2, 0.1, Kind.TWICE, 200),
        (response(OK, b'{"text":"another"}'), 0.1, Kind.WRONG, 200),
        (response(OK, b"what?"), 0.1, Kind.WRONG, 200),
        (response(BUSY, b"busy"), 0.1, Kind.REFUSED, 503),
        (response(BUSY, b"busy"), 1.1, Kind.FAILED, 503),
        (response(BUSY, b""), 0.1, Kind.FAILED, 503),
        (b"", 0.1, Kind.LOST, None),
        (response(OK, b'{"text":"hi"}')[:-3], 0.1, Kind.LOST, None),
        (b"what?", 0.1, Kind.LOST, None),
        (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nd\r\n{"text":"hi"}\r\n0\r\n\r\n',
         0.1, Kind.ANSWERED, 200),
    ],
)  # fmt: skip
def test_what_came_back_is_told_apart(
    data: bytes, seconds: float, kind: Kind, status: int | None
) -> None:
    """An answer is one's own and comes once; a refusal is soon, and says something."""
    assert judge(data, "hi", seconds) == (kind, status)


def test_a_connection_that_is_closed_or_not_to_be_had_is_a_lost_request() -> None:
    """The server ends with the question in hand, and then isn't there."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    async def run() -> list[Kind]:
        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        ends = [await ask(port, Question(0.0, "hi"), 0.0)]
        server.close()
        await server.wait_closed()
        return [each.kind for each in (*ends, await ask(port, Question(0.0, "hi"), 0.0))]

    assert asyncio.run(run()) == [Kind.LOST, Kind.LOST]


def test_the_harmful_are_counted_apart() -> None:
    """A server owes nothing to a prompt that can't be answered."""
    count = Count.of([
        end(0.0, 0.2), end(1.0, 0.4), end(2.0, kind=Kind.LOST),
        end(3.0, kind=Kind.REFUSED, guilty=True),
    ])  # fmt: skip
    assert count.asked == 3
    assert (count[Kind.ANSWERED], count[Kind.LOST], count[Kind.HUNG]) == (2, 1, 0)
    assert count.guilty == {Kind.REFUSED: 1}
    assert count.answered_share == pytest.approx(2 / 3)
    assert count.slowest == pytest.approx(0.4)


def test_of_nothing_asked_nothing_is_known() -> None:
    """No request, and no answer: no share and no time."""
    assert Count.of([]).answered_share == 0.0
    assert Count.of([end(0.0, kind=Kind.HUNG)]).slowest is None


def test_a_fault_that_nobody_notices_is_over_with_the_next_answer() -> None:
    """What came before it isn't looked at."""
    before = [end(0.0, kind=Kind.LOST), end(0.5), end(0.8)]
    after = [end(2.0 + number) for number in range(IN_A_ROW)]
    assert recovered_after([*before, *after], 1.0) == pytest.approx(1.1)


@pytest.mark.parametrize("bad", [end(12.5, kind=Kind.REFUSED), end(12.5, 1.5)])
def test_all_is_well_with_the_first_of_many_prompt_answers(bad: End) -> None:
    """A refusal among them, or one that took long, and the row begins again."""
    ends = [end(1.0 + number) for number in range(2 * IN_A_ROW)]
    assert recovered_after([*ends, bad], 0.0) == pytest.approx(13.1)


def test_too_few_answers_in_a_row_are_no_recovery() -> None:
    """One short of the row, and a harmful prompt is none of it."""
    ends = [end(1.0 + number) for number in range(IN_A_ROW - 1)]
    assert recovered_after(ends, 0.0) is None
    assert recovered_after([*ends, end(90.0, guilty=True)], 0.0) is None
    assert recovered_after([*ends, end(90.0)], 0.0) is not None


def test_goodput_counts_right_answers_when_they_come() -> None:
    """By the second in which they ended, in all seconds that there were."""
    ends = [end(0.1), end(0.2), end(0.95), end(0.3, kind=Kind.HUNG), end(7.0)]
    assert per_second(ends, 2.0, 0.5) == [(0.25, 4.0), (0.75, 0.0), (1.25, 2.0), (1.75, 0.0)]


def test_a_phase_counts_from_where_the_harm_ends() -> None:
    """A flood and a row of harmful prompts are over after a while; a fault is there at once."""
    assert Phase(name="", title="", after=9.0, calm=1.0, flood=5.0).since == 6.0
    assert (
        Phase(name="", title="", after=9.0, calm=1.0, guilty="x", guilty_at=(0.0, 2.0)).since == 3.0
    )
    assert Phase(name="", title="", after=9.0, calm=1.0, fault=Fault.KILL).since == 1.0
    assert (
        Phase(name="", title="", after=9.0, calm=1.0, fault=Fault.HANG, fault_at=(0.0, 9.0)).since
        == 10.0
    )


def test_a_real_server_is_put_through_it_and_leaves_nothing_behind() -> None:
    """Each request has its end in the ledger, and it is the right one; the tables show it."""
    phase = Phase(name="kill", title="SIGKILL", calm=0.3, after=2.5, fault=Fault.KILL)
    tried = trial("failsoft", [phase], 8, 1)
    (endured,) = tried.phases
    assert len(endured.ends) == len(questions(phase, 1, 32.0))
    assert endured.count[Kind.WRONG] == endured.count[Kind.TWICE] == 0
    assert endured.count[Kind.ANSWERED] > 0
    assert tried.orphans == []
    sums, of_phase = tables([tried])
    assert sums.rows[0][:3] == of_phase.rows[0][:3]
