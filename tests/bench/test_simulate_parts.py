"""The parts of the simulator: its timeline, its ledger, and its modelled models."""

from __future__ import annotations

from random import Random

import pytest
from bench.simulate.ask import Ask
from bench.simulate.ledger import Ledger
from bench.simulate.model import Job, Model, ModelKind, Storage
from bench.simulate.timeline import Timeline

from failsoft.messages import GenerateText, InferenceError, TextReply

KIND = ModelKind(slots=1, tokens_per_second=10.0, load_sigma=0.0)


class Heard:
    """Keep what a model says, with the time of it."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.said: list[tuple[float, str]] = []
        self.taken_back: list[Job] = []

    def _hear(self, word: str) -> None:
        self.said.append((round(self.timeline.now, 3), word))

    def is_ready(self, model: Model) -> None:
        self._hear("ready")

    def has_died(self, model: Model, error: InferenceError) -> None:
        self._hear(error.kind)
        self.taken_back = model.take_back()

    def has_begun(self, job: Job) -> None:
        self._hear(f"{job.sent} began")

    def has_finished(self, job: Job, reply: TextReply | None) -> None:
        self._hear(f"{job.sent} finished")

    def has_failed(self, job: Job, error: InferenceError) -> None:
        self._hear(f"{job.sent} failed")


def job(name: str, tokens: int = 10, *, is_stream: bool = False, is_poison: bool = False) -> Job:
    request = GenerateText(name, max_tokens=tokens)
    return Job(Ask(request, 0.0, 60.0, is_stream=is_stream, is_poison=is_poison), request, name)


def ready_model(*, heeds: bool = True) -> tuple[Model, Heard, Timeline]:
    timeline = Timeline()
    heard = Heard(timeline)
    model = Model("m", KIND, heard, timeline, Random(1), Storage(), heeds=heeds)
    model.start()
    timeline.run(10.0)
    assert heard.said == [(KIND.loads, "ready")]
    heard.said.clear()
    return model, heard, timeline


def test_calls_are_made_by_time_and_those_of_one_time_in_order() -> None:
    timeline, made = Timeline(), list[str]()
    for time, name in ((2.0, "c"), (1.0, "a"), (1.0, "b"), (5.0, "never")):
        timeline.at(time, made.append, name)
    timeline.run(3.0)
    assert made == ["a", "b", "c"]
    assert timeline.now == 3.0


def test_an_ask_that_ends_twice_is_noticed() -> None:
    ledger, ask = Ledger(10), Ask(GenerateText("a"), 1.0, 5.0)
    ledger.came(ask)
    ledger.over(ask, "ok", 2.0)
    assert (ledger.open, ledger.served[1], ledger.done[2]) == (0, 1, 1)
    with pytest.raises(AssertionError, match="ends twice"):
        ledger.over(ask, "failed", 3.0)


def test_an_answer_past_the_deadline_is_no_good() -> None:
    ledger, ask = Ledger(10), Ask(GenerateText("a"), 1.0, 5.0)
    ledger.came(ask)
    ledger.over(ask, "ok", 6.5)
    assert sum(ledger.done) == 0


def test_jobs_beyond_the_slots_wait_and_streams_say_that_they_began() -> None:
    model, heard, timeline = ready_model()
    model.accept(job("a", is_stream=True))
    model.accept(job("b"))
    assert (len(model.running), len(model.waiting)) == (1, 1)
    timeline.run(20.0)
    assert heard.said == [(10.3, "a began"), (11.0, "a finished"), (12.0, "b finished")]


def test_a_slow_model_takes_so_many_times_as_long() -> None:
    model, heard, timeline = ready_model()
    model.slowness = 3.0
    model.accept(job("a"))
    timeline.run(20.0)
    assert heard.said == [(13.0, "a finished")]


@pytest.mark.parametrize(("heeds", "b_is_done"), [(True, 11.5), (False, 12.0)])
def test_a_model_that_heeds_stops_work_that_is_called_off(heeds: bool, b_is_done: float) -> None:
    model, heard, timeline = ready_model(heeds=heeds)
    first = job("a")
    model.accept(first)
    model.accept(job("b"))
    timeline.run(10.5)
    model.call_off(first)
    timeline.run(20.0)
    assert heard.said == [(b_is_done, "b finished")]


def test_poison_takes_the_worker_down_and_all_in_hand_is_given_back() -> None:
    model, heard, timeline = ready_model()
    poison, behind = job("p", is_poison=True), job("b")
    model.accept(poison)
    model.accept(behind)
    timeline.run(20.0)
    assert heard.said == [(10.3, "worker_lost")]
    assert heard.taken_back == [poison, behind]
    assert [each.has_begun for each in heard.taken_back] == [True, False]
    assert not model.is_up


def test_a_model_whose_weights_cannot_be_read_dies_of_its_load() -> None:
    model, heard, timeline = ready_model()
    model.die()
    model.is_unreadable = True
    model.start()
    timeline.run(20.0)
    assert heard.said == [(10.0, "worker_lost"), (12.0, "model_loading_failed")]


def test_a_broken_model_fails_what_it_gets() -> None:
    model, heard, timeline = ready_model()
    model.is_broken = True
    model.accept(job("a"))
    timeline.run(20.0)
    assert heard.said == [(10.05, "a failed")]


def test_many_loads_at_once_make_each_other_slower() -> None:
    timeline, storage = Timeline(), Storage(at_once=1)
    heard = Heard(timeline)
    kind = ModelKind(load_sigma=0.0)
    for name in ("a", "b"):
        Model(name, kind, heard, timeline, Random(1), storage).start()
    timeline.run(100.0)
    assert heard.said == [(8.0, "ready"), (16.0, "ready")]
    assert storage.loading == 0
