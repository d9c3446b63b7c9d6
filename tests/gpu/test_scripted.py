"""The scripted engine, by itself."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from failsoft.gpu.script import (
    Act,
    BreakDevice,
    Echo,
    Once,
    Pause,
    Progress,
    Raise,
    RunOutOfMemory,
    Say,
    Script,
    When,
)
from failsoft.gpu.scripted import ScriptedEngine, scripted
from failsoft.gpu.serving.classify import classify
from failsoft.messages import ChatMessage, GenerateText, InferenceError, TextChunk, TextReply, Usage


def engine_of(script: Script) -> ScriptedEngine:
    """Make the engine as a worker does: from options that went over the wire."""
    wire = msgspec.msgpack.encode(scripted(script).options)
    options: dict[str, Any] = msgspec.msgpack.decode(wire)
    return ScriptedEngine(**options)


def answer(
    engine: ScriptedEngine, request: GenerateText | str
) -> tuple[list[TextChunk | None], TextReply]:
    """Give every step of the answer, and the reply."""
    steps = engine.generate(GenerateText(request) if isinstance(request, str) else request)
    seen = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as end:
            return seen, end.value


def text_of(engine: ScriptedEngine, prompt: str) -> str:
    return answer(engine, prompt)[1].text


def test_without_a_script_it_echoes() -> None:
    """A word a step, then the end with an honest usage."""
    steps, reply = answer(engine_of(Script()), "one  two\nthree")
    assert [step.text for step in steps if step] == ["one ", " two\n", "three", ""]
    assert reply == TextReply("one  two\nthree", "stop", Usage(3, 3))
    last = steps[-1]
    assert last is not None
    assert (last.tokens, last.finish_reason, last.usage) == (0, "stop", Usage(3, 3))
    assert sum(step.tokens for step in steps if step) == 3


def test_the_first_rule_that_fits_is_played() -> None:
    """By a part of the prompt; a chat's turns are one prompt."""
    engine = engine_of(
        Script(
            rules=[When("poem", [Say("roses")]), When("a poem", [Say("violets")])],
            otherwise=[Say("prose")],
        )
    )
    assert text_of(engine, "write a poem") == "roses"
    assert text_of(engine, "write") == "prose"
    turns = (ChatMessage("system", "a poet"), ChatMessage("user", "poem!"))
    assert answer(engine, GenerateText(turns))[1].text == "roses"


def test_max_tokens_and_stop_are_honoured() -> None:
    """The text, the reason and the usage are those of a real engine."""
    engine = engine_of(Script())
    _, cut = answer(engine, GenerateText("a b c d", max_tokens=2))
    assert (cut.text, cut.finish_reason, cut.usage.completion_tokens) == ("a b ", "length", 2)
    steps, stopped = answer(engine, GenerateText("a b STOP d", stop=("STOP",)))
    assert (stopped.text, stopped.finish_reason) == ("a b ", "stop")
    assert "".join(step.text for step in steps if step) == stopped.text


@pytest.mark.parametrize(
    ("act", "kind", "sticky"),
    [
        (RunOutOfMemory(), "out_of_memory", False),
        (BreakDevice(), "generation_failed", True),
        (Raise("invalid_input", "no"), "invalid_input", False),
        (Raise("no such kind", "no"), "generation_failed", False),
    ],
)
def test_an_act_after_n_words_comes_at_the_next_step(act: Act, kind: str, sticky: bool) -> None:
    """Two words, then it happens."""
    steps = engine_of(Script(otherwise=[Say("one two"), act])).generate(GenerateText(""))
    assert next(steps)
    assert next(steps)
    with pytest.raises((MemoryError, RuntimeError, InferenceError)) as raised:
        next(steps)
    known, is_sticky = classify(raised.value)
    assert (known.kind, is_sticky) == (kind, sticky)


def test_pauses_are_steps_without_text() -> None:
    """They count as movement, and not as words."""
    steps, reply = answer(engine_of(Script(otherwise=[Pause(0.0, steps=3), Say("a")])), "")
    assert steps[:3] == [None] * 3
    assert reply.usage.completion_tokens == 1


def test_once_is_once_over_all_processes(tmp_path: Path) -> None:
    """The marker remembers it, also for an engine that is made anew."""
    once = Once(str(tmp_path / "marker"), (Say("first "),))
    script = Script(otherwise=[once, Echo()])
    assert text_of(engine_of(script), "x") == "first x"
    assert text_of(engine_of(script), "x") == "x"


def test_words_come_as_slowly_as_asked() -> None:
    """Each after its delay."""
    started = time.monotonic()
    text_of(engine_of(Script(otherwise=[Say("a b", delay=0.02)])), "")
    assert time.monotonic() - started >= 0.04


def test_a_load_does_what_the_script_says() -> None:
    """Progress is reported; errors are raised; words make no sense there."""
    told: list[tuple[int, int]] = []
    engine = engine_of(Script(load=[Progress(1, 2), Progress(2, 2)]))
    assert engine.load(lambda done, total: told.append((done, total))) == {"model": "scripted"}
    assert told == [(1, 2), (2, 2)]
    with pytest.raises(ValueError, match="nothing can be said without a request"):
        engine_of(Script(load=[Say("a")])).load(lambda *_: None)


@pytest.mark.parametrize(
    "options",
    [{"rulez": []}, {"load": [{"type": "Jump"}]}, {"load": [{"type": "Die", "how": "fast"}]}],
)
def test_a_wrong_word_in_a_script_is_refused(options: dict[str, Any]) -> None:
    """A test that is misspelt doesn't pass by accident."""
    with pytest.raises(msgspec.ValidationError):
        ScriptedEngine(**options)
