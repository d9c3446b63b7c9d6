"""What a worker logs and prints, seen from the service."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.gpu import WorkerLine
from failsoft.gpu.process.worker_log import MAX_LINE_BYTES, LineCutter, parse_line
from failsoft.gpu.script import Act, Log, Print, Raise, Say, Script, When
from failsoft.gpu.scripted import scripted

from .launched import Launcher


@pytest.mark.anyio
async def test_log_lines_come_with_the_correlation_id_of_their_request(launch: Launcher) -> None:
    """WK-17 Level, event and fields as logged; the next request has its own id, or none."""
    log: list[Act] = [Log("at work", "warning", {"number": 3}), Say("a")]
    worker = await launch.ready(scripted(Script(load=[Log("loading")], otherwise=log)))
    for correlation_id in ("c-1", None, "c-2"):
        await worker.end_of(worker.run(correlation_id=correlation_id))
    await worker.process.stop()
    loading, *lines = worker.lines
    assert (loading.level, loading.event, loading.correlation_id) == ("info", "loading", None)
    assert [line.correlation_id for line in lines] == ["c-1", None, "c-2"]
    assert {(line.level, line.event, line.fields["number"]) for line in lines} == {
        ("warning", "at work", 3)
    }
    assert all(line.fields["logger"] == "failsoft.scripted" for line in lines)


@pytest.mark.anyio
async def test_the_traceback_of_a_failure_is_in_the_log(launch: Launcher) -> None:
    """WK-17 With the request's correlation id; and what the request is answered shows nothing."""
    worker = await launch.ready(scripted(Script(otherwise=[Raise("a bug", "the inner cause")])))
    failed = await worker.failure_of(worker.run(correlation_id="c-1"))
    line = await worker.line("the engine failed")
    assert (line.level, line.correlation_id) == ("error", "c-1")
    assert "the inner cause" in line.fields["exception"]
    assert "inner cause" not in failed.error.message


@pytest.mark.anyio
async def test_prints_come_as_plain_lines_promptly_and_in_order(launch: Launcher) -> None:
    """WK-17 Also a last line without an end."""
    talk = When("talk", [Print("one\ntwo\n\nthree"), Say("a")])
    worker = await launch.ready(scripted(Script(rules=[talk])))
    await worker.end_of(worker.run("talk"))
    await worker.line("two")
    await worker.process.stop()
    assert worker.lines == [WorkerLine("info", text) for text in ("one", "two", "three")]


@pytest.mark.anyio
async def test_a_flood_of_output_breaks_nothing(launch: Launcher) -> None:
    """WK-17 Megabytes without a line end are cut at the bound, and the answer comes."""
    flood = When("flood", [Print("x" * 1024, times=5_000), Print("\nlast\n"), Say("fine")])
    worker = await launch.ready(scripted(Script(rules=[flood])))
    assert (await worker.reply_of(worker.run("flood", stream=False))).text == "fine"
    await worker.line("last")
    assert [len(line.event) for line in worker.lines] == [MAX_LINE_BYTES, 4]


def test_logging_and_warnings_are_json_too() -> None:
    """Python's own logging, and warnings, come out as structlog's lines do, without secrets.

    So does what a library has its own way to the terminal for, as transformers has.
    """
    import subprocess
    import sys

    program = """if True:
        import logging, sys, warnings
        library = logging.getLogger("library")
        library.addHandler(logging.StreamHandler(sys.stderr))
        library.propagate = False
        from failsoft.gpu.process.worker_log import configure_worker_log
        configure_worker_log()
        logging.getLogger("somebody").error("no %s", "luck")
        logging.getLogger("somebody").debug("unseen")
        warnings.warn("mind the gap")
        logging.getLogger("somebody").info("x" * 100_000)
        library.error("with api_key=hush")
    """
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, check=True)
    first, second, third, last = [parse_line(line) for line in done.stderr.splitlines()]
    assert first == WorkerLine("error", "no luck", None, {"logger": "somebody"})
    assert (second.level, second.fields["logger"]) == ("warning", "py.warnings")
    assert "mind the gap" in second.event
    assert len(third.event) < 10_000
    assert last == WorkerLine("error", "with api_key=[redacted]", None, {"logger": "library"})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            {"level": "info", "event": "x", "correlation_id": "c", "n": 1},
            WorkerLine("info", "x", "c", {"n": 1}),
        ),
        (
            {"level": "info", "event": "x", "correlation_id": 7},
            WorkerLine("info", "x", "7"),
        ),
        ({"level": "exception", "event": "x"}, WorkerLine("error", "x")),
        (
            {"level": "warn", "event": "x", "self": 1},
            WorkerLine("warning", "x", None, {"self_": 1}),
        ),
    ],
)
def test_a_log_line_is_read(line: dict[str, object], said: WorkerLine) -> None:
    """Levels have one name each; what would clash with a logging call is renamed."""
    assert parse_line(json.dumps(line).encode()) == said


@pytest.mark.parametrize(
    "line",
    [
        b"hello",
        b"{}",
        b"[1]",
        b'"text"',
        b'{"event": "x"}',
        b'{"event": 1, "level": "info"}',
        b'{"event": "x", "level": "loud"}',
        b'{"event": "x", "level": ["info"]}',
        b'{"event": "x", "level": "info"',
        b'{"event": "\xff", "level": "info"}',
        b"[" * 10_000,
    ],
)
def test_anything_else_is_a_plain_line(line: bytes) -> None:
    """Its text is the event."""
    said = parse_line(line)
    assert (said.level, said.correlation_id, said.fields) == ("info", None, {})
    assert said.event == line.decode(errors="replace")


@given(st.binary())
def test_no_line_makes_the_parser_raise(line: bytes) -> None:
    """Whatever the bytes: one line, with nothing in it that could move a terminal's cursor."""
    said = parse_line(line)
    if said.level == "info" and not said.fields:
        assert not any(ord(character) < 32 and character != "\t" for character in said.event)


@given(st.lists(st.binary(max_size=40)), st.integers(1, 30))
def test_how_output_is_cut_into_reads_makes_no_difference(parts: list[bytes], bound: int) -> None:
    """The lines are those of the whole, each at most as long as the bound."""
    cutter = LineCutter(bound)
    lines = [line for part in parts for line in cutter.feed(part)]
    lines += cutter.flush()
    whole = LineCutter(bound)
    assert lines == [*whole.feed(b"".join(parts)), *whole.flush()]
    assert all(len(line) <= bound for line in lines)
    expected = [line[:bound].removesuffix(b"\r") for line in b"".join(parts).split(b"\n")]
    assert [line for line in lines if line.strip()] == [line for line in expected if line.strip()]


def test_an_endless_line_takes_no_memory() -> None:
    """A gigabyte's worth of pieces without a line end: what is held stays at the bound."""
    cutter = LineCutter()
    piece = b"x" * 1024 * 1024
    for _ in range(1_000):
        assert list(cutter.feed(piece)) == []
    (line,) = cutter.flush()
    assert len(line) == MAX_LINE_BYTES
