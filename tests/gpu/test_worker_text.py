"""The real engine in a real worker process."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from failsoft.gpu import WorkerHost, WorkerSpec, text_worker
from failsoft.messages import ChatMessage, GenerateText, JsonSchema, JsonSchemaFormat
from failsoft.messages.frames import Cancel, Inject, LoadFailed, Loading

from .launched import Launched, Launcher

pytestmark = pytest.mark.anyio

EMOJI = GenerateText(
    (ChatMessage("user", "Say hello, with three emoji."),), max_tokens=12, temperature=0
)
LONG = GenerateText("Once upon a time", max_tokens=2_000, temperature=0)


@pytest.fixture(scope="module")
async def worker(smollm2: Path) -> AsyncIterator[Launched]:
    """Give a worker with a language model, which the tests share."""
    host = WorkerHost()
    spec = text_worker(smollm2, threads=1, device="cpu", context_length=128, fault_hooks=True)
    yield await Launcher(host).ready(spec)
    await host.aclose()


async def test_a_real_model_is_loaded_and_known(worker: Launched) -> None:
    """Progress in bytes up to the whole, then what was loaded."""
    told = [report for report in worker.reports if isinstance(report, Loading)]
    assert told[-1].done == told[-1].total > 50_000_000
    assert (await worker.ready()).info["context_length"] == 128
    hello = await worker.hello()
    assert {"torch", "transformers"} <= set(hello.versions)


async def test_chunks_are_the_answer_in_whole_characters(worker: Launched) -> None:
    """WK-14 Streamed and whole are the same text; no character is split."""
    streamed, whole = worker.run(EMOJI), worker.run(EMOJI, stream=False)
    reply = await worker.reply_of(whole)
    assert worker.text_of(streamed) == reply.text
    assert any(ord(character) > 0xFFFF for character in reply.text)
    assert "\N{REPLACEMENT CHARACTER}" not in reply.text
    last = worker.chunks_of(streamed)[-1]
    assert (last.finish_reason, last.usage) == (reply.finish_reason, reply.usage)


async def test_too_long_a_prompt_is_refused_with_both_lengths(worker: Launched) -> None:
    """WK-15 Before the device is touched: no step is made."""
    request = GenerateText("word " * 300, max_tokens=5)
    error = (await worker.failure_of(worker.run(request))).error
    assert error.kind == "context_length_exceeded"
    assert error.details["input_length"] >= 300
    assert error.details["max_length"] == 127


async def test_a_form_and_log_probabilities_come_through_the_wire(worker: Launched) -> None:
    """WK-14 Streamed and whole alike: JSON that keeps to its schema, and each token's own."""
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    asked = GenerateText(
        (ChatMessage("user", "Ann is 30 years old. Give her name and age as JSON."),),
        max_tokens=40,
        temperature=0,
        logprobs=True,
        top_logprobs=2,
        response_format=JsonSchemaFormat(JsonSchema("person", schema)),
    )
    streamed, whole = worker.run(asked), worker.run(asked, stream=False)
    reply = await worker.reply_of(whole)
    assert reply.finish_reason == "stop"
    assert json.loads(reply.text).keys() == {"name", "age"}
    await worker.end_of(streamed)
    assert worker.text_of(streamed) == reply.text
    assert reply.logprobs is not None
    told = [entry for chunk in worker.chunks_of(streamed) for entry in chunk.logprobs or ()]
    # Alone and in a batch the numbers differ by rounding.
    assert [entry.bytes for entry in told] == [entry.bytes for entry in reply.logprobs]
    assert b"".join(bytes(entry.bytes) for entry in told).decode() == reply.text
    assert {len(entry.top_logprobs) for entry in told} == {2}


async def test_a_form_that_no_answer_can_have_is_refused(worker: Launched) -> None:
    """With the path of the field; the worker goes on."""
    form = JsonSchemaFormat(JsonSchema("bad", {"type": "strin"}))
    error = (await worker.failure_of(worker.run(GenerateText("Hi", response_format=form)))).error
    assert error.kind == "invalid_input"
    assert set(error.details["field_errors"]) == {"response_format.json_schema.schema"}
    assert (await worker.reply_of(worker.run(EMOJI, stream=False))).text


async def test_cancel_stops_a_real_answer(worker: Launched) -> None:
    """WK-11 The next request is answered, its text what it is alone."""
    alone = await worker.reply_of(worker.run(EMOJI, stream=False))
    long, after = worker.run(LONG), worker.run(EMOJI, stream=False)
    await worker.first_chunk_of(long)
    worker.process.send(Cancel(long))
    assert (await worker.failure_of(long)).error.kind == "cancelled"
    assert (await worker.reply_of(after)).text == alone.text


async def test_a_deadline_stops_a_real_answer(worker: Launched) -> None:
    """WK-12 With the time that passed and the tokens made."""
    id = worker.run(LONG, deadline=time.monotonic() + 0.5)
    error = (await worker.failure_of(id)).error
    assert error.kind == "inference_timeout"
    assert 0 <= error.details["tokens"] < 128


async def test_torchs_own_out_of_memory_error_is_known(worker: Launched) -> None:
    """WK-08 The injected fault is torch's exception, and goes the way of a real one, twice."""
    worker.process.send(Inject("oom", after_steps=1))
    worker.process.send(Inject("oom"))
    failed = await worker.failure_of(worker.run(EMOJI))
    assert (failed.error.kind, failed.sticky) == ("out_of_memory", False)
    assert failed.error.details["memory_used_mb"] > 100
    assert (await worker.reply_of(worker.run(EMOJI, stream=False))).text


async def test_once_out_of_memory_is_answered_with_less(worker: Launched) -> None:
    """WK-08 Half the tokens, and a warning; streamed and whole alike."""
    alone = await worker.reply_of(worker.run(EMOJI, stream=False))
    worker.process.send(Inject("oom", after_steps=1))
    whole = await worker.reply_of(worker.run(EMOJI, stream=False))
    assert whole.usage.completion_tokens == EMOJI.max_tokens // 2
    assert alone.text.startswith(whole.text)
    assert whole.warning is not None
    worker.process.send(Inject("oom", after_steps=1))
    streamed = worker.run(EMOJI)
    await worker.end_of(streamed)
    assert worker.text_of(streamed) == whole.text
    assert worker.chunks_of(streamed)[-1].warning == whole.warning
    assert [chunk.warning for chunk in worker.chunks_of(streamed)[:-1] if chunk.warning] == []


async def test_a_batch_of_eight_that_runs_out_of_memory_is_answered(worker: Launched) -> None:
    """WK-08 All eight in full: fewer at once, and then the others."""
    prompts = ["Once", "The sky is", "A cat and a dog", "One two three", "I", "Water", "Go", "So"]
    requests = [GenerateText(prompt, max_tokens=4, temperature=0) for prompt in prompts]
    alone = [await worker.reply_of(worker.run(request, stream=False)) for request in requests]
    worker.process.send(Inject("oom", after_steps=2))
    ids = [worker.run(request, stream=False) for request in requests]
    assert [await worker.reply_of(id) for id in ids] == alone
    await worker.line("a step failed")


async def test_one_of_a_batch_leaves_and_the_others_go_on_unchanged(worker: Launched) -> None:
    """WK-11 WK-12 WK-13 Another's deadline passes, a third has its own stop string and seed."""
    stopped = GenerateText("One, two, three,", max_tokens=12, temperature=0, stop=("five",))
    seeded = GenerateText("Once", max_tokens=12, seed=3)
    alone = [await worker.reply_of(worker.run(r, stream=False)) for r in (EMOJI, stopped, seeded)]
    leaver = worker.run(LONG)
    late = worker.run(LONG, deadline=time.monotonic() + 1.0)
    beside = [worker.run(r, stream=False) for r in (EMOJI, stopped, seeded)]
    await worker.first_chunk_of(leaver)
    worker.process.send(Cancel(leaver))
    assert [await worker.reply_of(id) for id in beside] == alone
    assert (await worker.failure_of(leaver)).error.kind == "cancelled"
    assert (await worker.failure_of(late)).error.kind == "inference_timeout"


@pytest.mark.parametrize("preload", [(), ("torch",)])
async def test_torch_computes_with_as_many_threads_as_were_asked_for(
    launch: Launcher, preload: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is imported by then or not. Left to itself, it takes all that the machine has."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).parent)])
    spec = WorkerSpec(engine="threads_engine:ThreadsEngine", preload=preload, threads=1)
    worker = await launch.ready(spec)
    assert (await worker.ready()).info["threads"] == 1


async def test_a_missing_model_is_a_failed_load(launch: Launcher, tmp_path: Path) -> None:
    """WK-07 The cause is named, the path isn't."""
    worker = await launch(text_worker(tmp_path / "no-such-model", device="cpu"))
    failed = await worker.report(LoadFailed)
    assert "no-such-model" in failed.error.message
    assert str(tmp_path) not in failed.error.message
    assert not (await worker.ended()).was_asked
