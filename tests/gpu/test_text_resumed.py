"""Answers that another worker has begun: they go on as if nothing had been."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from failsoft.gpu.text.engine import TextEngine
from failsoft.gpu.text.worker import text_worker
from failsoft.messages import (
    ChatMessage,
    ContextLengthExceeded,
    GenerateText,
    JsonSchema,
    JsonSchemaFormat,
    TextChunk,
)
from failsoft.messages.answered import Answered

from .text_answers import Answer, answers


@pytest.fixture(scope="module")
def engine() -> Iterator[TextEngine]:
    """Give the package's own text model, loaded: it speaks English."""
    engine = TextEngine(**text_worker("failsoft:tiny-text").options)
    engine.load(lambda done, total: None)
    yield engine
    engine.unload()


CHAT = (ChatMessage("user", "Tell me a story about a fox."),)
WAYS: dict[str, dict[str, Any]] = {
    "greedy": {"temperature": 0.0},
    "seeded": {"temperature": 1.0, "seed": 7},
    "seeded, of the likely ones": {"temperature": 0.8, "top_p": 0.7, "seed": 11},
    "with penalties": {"temperature": 0.0, "frequency_penalty": 1.5, "presence_penalty": 0.5},
    "with a stop string": {"temperature": 0.0, "stop": ("wood",)},
    "of a given form": {
        "temperature": 1.0,
        "seed": 3,
        "response_format": JsonSchemaFormat(
            JsonSchema("fox", {"type": "object", "properties": {"name": {"type": "string"}}})
        ),
    },
}


def begun(chunks: list[TextChunk]) -> Answered:
    """Give what a reader has who got these chunks."""
    ids = [id for chunk in chunks for id in chunk.token_ids]
    return Answered(tuple(ids), "".join(chunk.text for chunk in chunks))


def gone_on(engine: TextEngine, fields: dict[str, Any], whole: Answer, after: int) -> Answer:
    request = GenerateText(CHAT, max_tokens=24, answered=begun(whole.chunks[:after]), **fields)
    return answers(engine, request)[0]


@pytest.mark.parametrize("fields", WAYS.values(), ids=list(WAYS))
def test_wherever_an_answer_is_cut_it_goes_on_with_the_same_tokens(
    engine: TextEngine, fields: dict[str, Any]
) -> None:
    """The reader has the same text in the end, none of it twice, and the same usage."""
    whole = answers(engine, GenerateText(CHAT, max_tokens=24, **fields))[0]
    assert len(whole.chunks) > 3
    last = len(whole.chunks) - 1
    for after in sorted({1, 2, last // 3, last // 2, last}):
        resumed = gone_on(engine, fields, whole, after)
        assert begun([*whole.chunks[:after], *resumed.chunks]) == begun(whole.chunks)
        assert resumed.reply.text == whole.reply.text
        assert resumed.reply.finish_reason == whole.reply.finish_reason
        assert resumed.reply.usage.completion_tokens == whole.reply.usage.completion_tokens
        assert resumed.reply.usage.prompt_tokens == whole.reply.usage.prompt_tokens


def test_chunks_tell_the_tokens_of_their_text(engine: TextEngine) -> None:
    answer = answers(engine, GenerateText(CHAT, max_tokens=20, temperature=0.0))[0]
    assert all(len(chunk.token_ids) == chunk.tokens for chunk in answer.chunks)
    assert sum(chunk.tokens for chunk in answer.chunks) == answer.reply.usage.completion_tokens


def test_only_new_tokens_count_in_the_chunks(engine: TextEngine) -> None:
    whole = answers(engine, GenerateText(CHAT, max_tokens=20, temperature=0.0))[0]
    resumed = gone_on(engine, {"temperature": 0.0}, whole, 10)
    had = sum(chunk.tokens for chunk in whole.chunks[:10])
    told = sum(chunk.tokens for chunk in resumed.chunks)
    assert had + told == resumed.reply.usage.completion_tokens


def test_likelihoods_are_told_of_new_tokens_alone(engine: TextEngine) -> None:
    fields = {"temperature": 0.0, "logprobs": True}
    whole = answers(engine, GenerateText(CHAT, max_tokens=24, **fields))[0]  # type: ignore[arg-type]
    resumed = gone_on(engine, fields, whole, 10)
    told = [each for chunk in whole.chunks[:10] for each in chunk.logprobs or ()]
    told += [each for chunk in resumed.chunks for each in chunk.logprobs or ()]
    assert [each.token for each in told] == [each.token for each in whole.reply.logprobs or ()]


def test_another_models_text_is_gone_on_with_as_text(engine: TextEngine) -> None:
    """Its tokens are others, so they aren't told."""
    answered = Answered((), "Once there was a fox")
    request = GenerateText(CHAT, max_tokens=24, temperature=0.0, answered=answered)
    resumed = answers(engine, request)[0]
    assert resumed.reply.text.startswith("Once there was a fox")
    shown = "".join(chunk.text for chunk in resumed.chunks)
    assert "Once there was a fox" + shown == resumed.reply.text
    assert shown.strip()


def test_an_answer_that_has_as_many_tokens_as_it_may_gets_one_more(engine: TextEngine) -> None:
    """It is cut down after it was begun, by the load say: its reader is owed an end."""
    whole = answers(engine, GenerateText(CHAT, max_tokens=24, temperature=0.0))[0]
    request = GenerateText(CHAT, max_tokens=5, temperature=0.0, answered=begun(whole.chunks[:10]))
    resumed = answers(engine, request)[0]
    assert resumed.reply.finish_reason == "length"
    assert resumed.chunks[-1].is_last


def test_of_another_models_text_none_comes_twice(engine: TextEngine) -> None:
    """Its end may be the beginning of a stop string: held here, and given out long ago."""
    said = "Once there was a fox"
    fields: dict[str, Any] = {"temperature": 0.0, "stop": ("fox!!", "x!!")}
    request = GenerateText(CHAT, max_tokens=24, answered=Answered((), said), **fields)
    resumed = answers(engine, request)[0]
    assert said + "".join(chunk.text for chunk in resumed.chunks) == resumed.reply.text


def test_what_is_too_long_to_go_on_with_is_refused(engine: TextEngine) -> None:
    """By a model that takes less than the one that began."""
    answered = Answered((), "a fox " * 10_000)
    with pytest.raises(ContextLengthExceeded):
        engine.begin(0, GenerateText(CHAT, max_tokens=24, answered=answered))
