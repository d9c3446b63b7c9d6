"""The flight recorder: when it writes, where to, and that it harms nobody."""

from __future__ import annotations

import asyncio
import functools
from pathlib import Path
from typing import Any

import pytest

from failsoft.actors import Actor, Ref, System, TreeFailed, handles
from failsoft.messages import Message
from failsoft.messages.events import ChildRestarted, SupervisorEscalated, WorkerHung
from failsoft.supervisors import NO_WAIT, Intensity, child, supervisor
from failsoft.telemetry import (
    DumpFlight,
    FlightNotWritten,
    FlightRecorder,
    FlightRings,
    NotAFlight,
    read_flight,
)

pytestmark = pytest.mark.anyio

EPOCH = 1_800_000_000.0


class Fail(Message, frozen=True):
    """Raise."""


class Frail(Actor):
    @handles(Fail)
    def fail(self, _message: Fail) -> None:
        raise OSError("it broke")


async def record(system: System, folder: Path, **options: Any) -> Ref:
    make = functools.partial(FlightRecorder, folder, wall_clock=lambda: EPOCH, **options)
    return await system.spawn(make, "flight")


def hang(system: System, pid: int = 7) -> None:
    system.events.publish(WorkerHung, "root/text", pid=pid, reason="stuck")


def escalate(system: System) -> None:
    system.events.publish(SupervisorEscalated, "root/text", child="a", reason="too often")


async def settle() -> None:
    """Let what is due now be done; a thread is waited for."""
    await asyncio.sleep(1e-6)
    await asyncio.sleep(1e-6)


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*")) if folder.exists() else []


async def test_it_writes_what_it_has_heard_when_it_is_asked(system: System, tmp_path: Path) -> None:
    """TL-07 A header, then the events."""
    flight = await record(system, tmp_path)
    await asyncio.sleep(5)
    hang(system)
    path = await flight.ask(DumpFlight())
    told = read_flight(Path(path))
    assert Path(path).parent == tmp_path
    assert [type(event).__name__ for event in told.events] == ["ActorStarted", "WorkerHung"]
    header = told.header
    assert (header.began, header.at, header.seen) == (0.0, 5.0, 2)
    assert (header.written, header.reason, header.dropped) == (EPOCH, "asked for", {})


async def test_it_writes_to_a_path_that_it_is_given(system: System, tmp_path: Path) -> None:
    """TL-07 The folder is made, where it isn't there."""
    flight = await record(system, tmp_path)
    path = tmp_path / "deep" / "story.jsonl"
    assert await flight.ask(DumpFlight(str(path))) == str(path)
    assert len(read_flight(path).events) == 1


async def test_a_path_that_cannot_be_written_is_an_answer_and_no_failure(
    system: System, tmp_path: Path
) -> None:
    """SV-12 The next one is written all the same."""
    flight = await record(system, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(FlightNotWritten, match="can't be written"):
        await flight.ask(DumpFlight(str(tmp_path / "file" / "x.jsonl")))
    await flight.ask(DumpFlight())


async def test_it_writes_when_a_supervisor_escalates(system: System, tmp_path: Path) -> None:
    """TL-07 A real one, in a tree that lives on; the escalation is in the file."""
    await record(system, tmp_path)
    tree = supervisor(
        "root",
        supervisor(
            "inner", child("frail", Frail), intensity=Intensity(max_restarts=0), backoff=NO_WAIT
        ),
        backoff=NO_WAIT,
    )
    await system.spawn(tree.start, tree.id)
    system.ref("root/inner/frail").tell(Fail())
    await settle()
    (path,) = files(tmp_path)
    told = read_flight(path)
    assert told.header.reason == "root/inner escalated"
    assert any(isinstance(event, SupervisorEscalated) for event in told.events)


async def test_beside_the_root_it_hears_of_the_roots_end_too(tmp_path: Path) -> None:
    """TL-07 The system ends with that: the file is written before."""
    tree = supervisor("root", child("frail", Frail), intensity=Intensity(max_restarts=0))

    async def live() -> None:
        async with System() as system:
            await record(system, tmp_path)
            await system.spawn(tree.start, tree.id)
            system.ref("root/frail").tell(Fail())
            await asyncio.sleep(60)

    with pytest.raises(TreeFailed):
        await live()
    (path,) = files(tmp_path)
    assert read_flight(path).header.reason == "root escalated"


async def test_escalations_that_follow_are_written_together_later(
    system: System, tmp_path: Path
) -> None:
    """TL-07 Every 10 s at most; none is left out for good."""
    await record(system, tmp_path)
    for _ in range(3):
        escalate(system)
        await settle()
    assert len(files(tmp_path)) == 1
    await asyncio.sleep(9)
    assert len(files(tmp_path)) == 1
    await asyncio.sleep(2)
    assert len(files(tmp_path)) == 2
    second = read_flight(files(tmp_path)[1]).events
    assert sum(isinstance(event, SupervisorEscalated) for event in second) == 3


async def test_only_the_last_files_stay(system: System, tmp_path: Path) -> None:
    """TL-07 Of its own; what lies beside them isn't touched."""
    (tmp_path / "notes.txt").write_text("")
    flight = await record(system, tmp_path, keep=2)
    paths = [Path(await flight.ask(DumpFlight())) for _ in range(4)]
    assert files(tmp_path) == [*paths[2:], tmp_path / "notes.txt"]


async def test_a_folder_that_cannot_be_written_harms_nobody(system: System, tmp_path: Path) -> None:
    """TL-08 Not even the recorder: it goes on hearing."""
    (tmp_path / "file").write_text("")
    flight = await record(system, tmp_path / "file")
    escalate(system)
    await settle()
    hang(system)
    path = await flight.ask(DumpFlight(str(tmp_path / "f.jsonl")))
    assert isinstance(read_flight(Path(path)).events[-1], WorkerHung)


async def test_what_was_heard_outlives_the_actor(system: System, tmp_path: Path) -> None:
    """TL-08 The rings are made outside of it; nothing is heard twice."""
    rings = FlightRings()
    start = functools.partial(FlightRecorder, tmp_path, rings)
    tree = supervisor("recorder", child("flight", start), backoff=NO_WAIT)
    await system.spawn(tree.start, tree.id)
    flight = system.ref("recorder/flight")
    hang(system, pid=1)
    flight.address.crash(RuntimeError("telemetry is down"))  # type: ignore[attr-defined]
    await asyncio.sleep(1)
    hang(system, pid=2)
    told = read_flight(Path(await flight.ask(DumpFlight())))
    assert [e.pid for e in told.events if isinstance(e, WorkerHung)] == [1, 2]
    assert any(isinstance(event, ChildRestarted) for event in told.events)


async def test_it_leaves_the_bus_when_it_ends(system: System, tmp_path: Path) -> None:
    """TL-07 No listener, no cost."""
    before = system.events.subscribers
    flight = await record(system, tmp_path)
    assert system.events.subscribers > before
    await system.stop(flight)
    assert system.events.subscribers == before


def test_a_file_that_was_read_is_no_recording_without_its_header(tmp_path: Path) -> None:
    """SV-12 A log, say."""
    (tmp_path / "demo.log").write_text('{"event": "ready"}\n')
    with pytest.raises(NotAFlight):
        read_flight(tmp_path / "demo.log")
