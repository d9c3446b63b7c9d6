"""Halving: the request that breaks a step fails alone, where the engine has no way to find it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.gpu import WorkerSpec
from failsoft.gpu.engine import Step
from failsoft.gpu.serving.halving import Halving
from failsoft.messages import GenerateText
from failsoft.messages.frames import Done, Failed

from .launched import Launcher

BROKEN = ValueError("a bad one is in it")


class Batch:
    """Be an engine that ends all in a step, or breaks; a request's words say what it does.

    good: is answered. slow: shows a chunk first. bad: breaks each step. late: shows a chunk, and
    breaks the step after that. once: can be begun only once.
    """

    max_batch = 4
    batch_delay = 0.0

    def __init__(self) -> None:
        self.held: dict[int, str] = {}
        self.shown: set[int] = set()
        self.begun: list[int] = []
        self.steps: list[list[int]] = []

    def begin(self, id: int, request: str) -> bool:
        if request == "once" and id in self.begun:
            raise KeyError(id)
        self.begun.append(id)
        self.held[id] = request
        return True

    def step(self) -> list[Step]:
        assert len(self.held) <= self.max_batch
        self.steps.append(list(self.held))
        if any(word == "bad" or (word == "late" and id in self.shown)
               for id, word in self.held.items()):  # fmt: skip
            raise BROKEN
        steps = []
        for id, word in list(self.held.items()):
            if word in ("slow", "late") and id not in self.shown:
                self.shown.add(id)
                steps.append(Step(id, chunk=word))
            else:
                steps.append(Step(id, is_last=True, reply=word))
                del self.held[id]
        return steps

    def drop(self, id: int) -> None:
        self.held.pop(id, None)


class Run:
    """Do what the worker does: offer, step, recover; note how each request ended, and when."""

    def __init__(self, *words: str) -> None:
        self.engine = Batch()
        self.halving = Halving(self.engine)
        self.waiting = dict(enumerate(words, 1))
        self.ends: dict[int, str] = {}

    def step(self) -> None:
        for id, word in list(self.waiting.items()):
            if not self.halving.begin(id, word):
                break
            del self.waiting[id]
        try:
            steps = self.halving.step()
        except ValueError as error:
            steps = self.halving.recover(error)
        for step in steps:
            if step.is_last:
                assert step.id not in self.ends
                self.ends[step.id] = step.reply if step.error is None else type(step.error).__name__

    def to_the_end(self, count: int) -> dict[int, str]:
        for _ in range(10 * count):
            if len(self.ends) == count:
                break
            self.step()
        return self.ends


def test_the_one_to_blame_fails_alone() -> None:
    """WK-08 Its neighbours are answered: half of them at once, then the others, halved again."""
    run = Run("good", "good", "bad", "good")
    assert run.to_the_end(4) == {1: "good", 2: "good", 3: "ValueError", 4: "good"}
    assert run.engine.steps == [[1, 2, 3, 4], [1, 2], [3, 4], [3], [4]]


def test_nobody_joins_those_of_a_failed_step() -> None:
    """A newcomer waits until the last of them is in work, and batches are whole again then."""
    run = Run("bad", "good", "good", "good", "good", "good", "good", "good", "good")
    run.to_the_end(9)
    assert run.engine.steps[-2:] == [[5, 6, 7, 8], [9]]
    assert run.engine.steps[:-2] == [[1, 2, 3, 4], [1, 2], [1], [2], [3], [4]]


def test_what_has_shown_something_is_not_begun_anew() -> None:
    """It would say it twice, and so it fails with the step."""
    run = Run("slow", "late", "slow")
    run.to_the_end(3)
    assert run.ends == dict.fromkeys((1, 2, 3), "ValueError")
    assert run.engine.begun == [1, 2, 3]


def test_a_device_that_is_broken_ends_them_all() -> None:
    """WK-09 No half of them would do better in this process."""
    run = Run("bad", "good", "good")
    run.step()
    sticky = RuntimeError("CUDA error: device-side assert triggered")
    run.halving.begin(9, "good")
    ends = run.halving.recover(sticky)
    assert sorted(step.id for step in ends) == [1, 2, 3]
    assert all(step.error is sticky for step in ends)
    assert not run.engine.held


def test_a_caller_may_leave_while_its_request_waits_to_be_begun_anew() -> None:
    """It isn't begun again; the others are."""
    run = Run("bad", "good", "good")
    run.step()
    run.halving.drop(3)
    assert run.to_the_end(2) == {1: "ValueError", 2: "good"}
    assert run.engine.begun.count(3) == 1


def test_a_request_that_the_engine_takes_only_once_ends_with_what_it_raised() -> None:
    """The others don't suffer from it."""
    run = Run("once", "bad", "good")
    assert run.to_the_end(3) == {1: "KeyError", 2: "ValueError", 3: "good"}


@given(st.lists(st.sampled_from(["good", "bad", "slow"]), min_size=1, max_size=12))
def test_each_ends_once_and_only_the_bad_ones_fail_with_what_had_shown_something(
    words: list[str],
) -> None:
    """Whatever is beside what, and in few steps for each."""
    run = Run(*words)
    ends = run.to_the_end(len(words))
    assert len(ends) == len(words)
    for id, word in enumerate(words, 1):
        allowed = {"good": {"good"}, "bad": {"ValueError"}, "slow": {"slow", "ValueError"}}
        assert ends[id] in allowed[word]
    assert not run.engine.held


@pytest.mark.anyio
async def test_a_worker_finds_the_one_to_blame(
    launch: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """WK-08 In a real process, an engine of one's own that says nothing of recovery."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).parent)])
    worker = await launch.ready(WorkerSpec(engine="together_engine:Together"))
    ids = {
        word: worker.run(GenerateText(word, max_tokens=1), stream=False)
        for word in ("a", "bad", "b", "c")
    }
    ends = {word: await worker.end_of(id) for word, id in ids.items()}
    failed = ends.pop("bad")
    assert isinstance(failed, Failed)
    assert failed.error.kind == "out_of_memory"
    assert all(isinstance(end, Done) for end in ends.values())
