"""Chaos: a short run of it, and that it would see what goes wrong."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from bench.storm import callers, calm, command
from bench.storm.ground import HERE
from bench.storm.ledger import Ledger
from bench.storm.question import PATIENCE, Question, draw
from bench.storm.report import MOST_DESCRIPTORS, MOST_RSS_BYTES, Report
from bench.storm.run import run

from failsoft.actors import Actor, Reply, handles, streams
from failsoft.messages import (
    GenerateText,
    InferenceTimeout,
    TextChunk,
    TextReply,
    Usage,
    WorkerLost,
)
from failsoft.messages.events import RequestFinished
from failsoft.testing import running_system

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("plain_logs")]

SEED = 1
USAGE = Usage(1, 1)


@pytest.fixture
def anyio_backend() -> str:
    """Run in real time: real processes are waited for."""
    return "asyncio"


async def test_each_request_has_one_answer_whatever_is_killed_when() -> None:
    """WK-20 WK-01 WK-02 WK-05 The short form of ``make chaos``: 25 kills, no orphan, no growth."""
    report = await run(SEED, kills=25)
    print(*report.lines(), sep="\n")
    assert report.faults() == []
    assert report.kills == 25
    assert report.answered > report.requests / 2


class Liar(Actor):
    """Answer as it is told: the parts of a stream, the last of which may be an error."""

    def __init__(self, parts: list[str | Exception], finish_reason: str | None) -> None:
        self._parts = parts
        self._finish_reason: Any = finish_reason

    @handles(GenerateText)
    def _ask(self, request: GenerateText) -> TextReply:
        for part in self._parts:
            if isinstance(part, Exception):
                raise part
        return TextReply("".join(map(str, self._parts)), self._finish_reason, USAGE)

    @streams(GenerateText)
    async def _stream(self, request: GenerateText) -> AsyncIterator[TextChunk]:
        for part in self._parts:
            if isinstance(part, Exception):
                raise part
            yield TextChunk(part, tokens=1, finish_reason=self._finish_reason)


async def ends_of(
    parts: list[str | Exception],
    finish_reason: str | None = "stop",
    *,
    is_stream: bool = False,
    within: float = PATIENCE,
) -> Ledger:
    """Ask ``q1 quickly`` of a liar; give the ledger of it."""
    question = Question(1, "liar", GenerateText("q1 quickly"), within, is_stream=is_stream)
    async with running_system() as system:
        ledger = Ledger(system.events, ["liar"])
        ref = await system.spawn(lambda: Liar(parts, finish_reason), "liar")
        await ledger.ask(ref, question)
        assert ledger.asked == ledger.ended == 1
        return ledger


def fault() -> Exception:
    return WorkerLost("gone").as_answer()


@pytest.mark.parametrize("is_stream", [False, True])
async def test_the_answer_to_another_question_is_wrong(is_stream: bool) -> None:
    """Each bears its number, and is the whole of it unless it says otherwise."""
    assert (await ends_of(["q1 ", "quickly"], is_stream=is_stream)).answered == 1
    assert (await ends_of(["q1 ", "quick"], "length", is_stream=is_stream)).answered == 1
    for parts in (["q2 quickly"], ["q1 quick"], ["q1 quickly and more"]):
        ledger = await ends_of([*parts], is_stream=is_stream)
        assert (ledger.wrong, ledger.complaints) == (1, ["q1 at liar: wrong"])


async def test_a_stream_ends_with_its_text_or_an_error_and_never_in_silence_or_with_both() -> None:
    """RT-18 The last chunk says why it is the last."""
    assert (await ends_of(["q1 "], None, is_stream=True)).silent == 1
    assert (await ends_of(["q1 ", fault()], None, is_stream=True)).refused == {"worker_lost": 1}
    assert (await ends_of(["q1 quickly", fault()], is_stream=True)).both == 1


async def test_a_patient_caller_who_hears_only_of_the_deadline_has_lost_the_request() -> None:
    """Nothing takes that long; for those in a hurry it is an answer like others."""
    late = InferenceTimeout.after(1.0).as_answer()
    assert (await ends_of([late])).lost == 1
    assert (await ends_of([late], within=1.0)).refused == {"inference_timeout": 1}


async def test_an_end_too_many_is_counted() -> None:
    """Told of twice, or answered when there was an answer already and nobody had left."""
    async with running_system() as system:
        ledger = Ledger(system.events, ["liar"])
        ref = await system.spawn(lambda: Liar(["q1 quickly"], "stop"), "liar")
        await ledger.ask(ref, Question(1, "liar", GenerateText("q1 quickly")))
        for _ in range(2):
            system.events.publish(RequestFinished, "liar", **finished("q1"))
        assert ledger.answered_twice == 1
        system.dead_letters.add("liar", "an answer", "late reply")
        assert ledger.answered_twice == 2


class Mute(Actor):
    """Never answer."""

    def __init__(self) -> None:
        self.was_asked = asyncio.Event()

    @handles(GenerateText)
    def _ask(self, request: GenerateText) -> Reply[TextReply]:
        self.was_asked.set()
        return self.context.defer()


async def test_a_request_that_never_ends_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long after its deadline nobody waits any more, and it is no call that was called off."""
    monkeypatch.setattr(callers, "PATIENCE", 0.0)
    monkeypatch.setattr(callers, "THINKS", 1e-6)
    monkeypatch.setattr(callers, "draw", lambda _, n: Question(n, "mute", GenerateText(f"q{n}")))
    mute = Mute()
    async with running_system() as system, asyncio.TaskGroup() as group:
        await system.spawn(lambda: mute, "mute")
        ledger = Ledger(system.events, ["mute"])
        crowd = callers.Callers(system, ledger, SEED, count=1)
        (task,) = crowd.begin(group)
        await mute.was_asked.wait()
        await crowd.pause()
        task.cancel()
    assert (ledger.asked, ledger.lost, ledger.cancelled) == (1, 1, 0)


def finished(id: str) -> dict[str, Any]:
    texts = dict.fromkeys(("request", "outcome", "model_used", "degradation_level"), "")
    numbers = ("seconds", "queue_seconds", "attempts", "prompt_tokens", "completion_tokens")
    others = {"first_seconds": None, "was_fallback": False, "correlation_id": id}
    return {**texts, **dict.fromkeys(numbers, 0), **others}


def test_questions_are_those_of_the_seed() -> None:
    """So a run can be made again, as far as real time lets it."""
    first, second, other = ([draw(Random(seed), n) for n in range(50)] for seed in (1, 1, 2))
    assert first == second != other


WELL: dict[str, Any] = dict.fromkeys(Report.__struct_fields__, 0) | {
    **{name: {} for name in ("kills_by_moment", "kills_by_signal", "refused")},
    **dict.fromkeys(("not_ready", "left", "complaints"), ()),
    "requests": 10,
    "answered": 10,
}


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({}, []),
        ({"lost": 1, "answered": 9}, ["1 lost"]),
        ({"answered": 8}, ["2 requests without an end"]),
        ({"twice": 1, "orphans": 2}, ["1 answered twice", "2 processes without a parent"]),
        ({"not_ready": ("root/text",)}, ["1 models that did not come back"]),
        ({"kills_asked": 5, "kills": 4}, ["1 kills too few in the time"]),
        ({"descriptor_growth": MOST_DESCRIPTORS + 1}, ["1 descriptors more than before"]),
        ({"rss_growth_bytes": MOST_RSS_BYTES + 2**20}, ["17.0 MiB more memory than before"]),
    ],
)
def test_what_is_not_as_it_must_be_is_said(figures: dict[str, Any], said: list[str]) -> None:
    assert Report(**WELL | figures).faults() == said


@pytest.mark.parametrize(("lost", "status"), [(0, 0), (3, 1)])
def test_the_command_prints_the_seed_writes_the_figures_and_tells_by_its_status(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    lost: int,
    status: int,
) -> None:
    """WK-20 A run that isn't well is no success."""

    async def ran(seed: int, kills: int, seconds: float, tell: object) -> Report:
        assert (kills, seconds) == (7, 60.0)
        return Report(**WELL | {"seed": seed, "lost": lost, "answered": 10 - lost})

    monkeypatch.setattr(command, "run", ran)
    written = tmp_path / "made" / "chaos.json"
    arguments = f"--kills 7 --seed 5 --minutes 1 --output {written}"
    assert command.main(arguments.split()) == status
    said = capsys.readouterr()
    assert said.out.startswith("7 kills, seed 5\n")
    assert said.err == ("NOT as it must be: 3 lost\n" if lost else "")
    assert msgspec.json.decode(written.read_bytes())["lost"] == lost


def test_a_process_that_lives_on_outside_of_the_family_is_an_orphan(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """WK-04 One whose parent has ended, and didn't take it along."""
    monkeypatch.setattr(calm, "_GONE_WITHIN", 0.0)
    family = calm.Family(HERE)
    parent = subprocess.Popen(
        ["sh", "-c", "sleep 600 >/dev/null & echo $!; read end"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    orphan = int(parent.stdout.readline())
    try:
        family.note()
        assert family.orphans() == ()
        parent.communicate(b"end\n")
        (told,) = family.orphans()
        assert f"(pid {orphan})" in told  # by the shell's name, where it has yet to be a sleep
    finally:
        os.kill(orphan, signal.SIGKILL)
