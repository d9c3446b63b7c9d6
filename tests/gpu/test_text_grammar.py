"""Answers held to JSON, of a model made up at random: nothing of their form is its own doing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from failsoft.gpu.engine import Step
from failsoft.gpu.text import grammar as grammar_module
from failsoft.gpu.text.engine import TextEngine
from failsoft.messages import (
    GenerateText,
    InvalidInput,
    JsonObjectFormat,
    JsonSchema,
    JsonSchemaFormat,
    TextFormat,
    TextReply,
)

from .text_answers import answers, tiny_engine

pytestmark = pytest.mark.usefixtures("one_thread")

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 8},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 3},
    },
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
}

# Schemas that every answer ends with, and a value that keeps to each.
LEAVES = st.sampled_from(
    [
        ({"type": "boolean"}, bool),
        ({"type": "null"}, type(None)),
        ({"enum": ["red", "green"]}, str),
        ({"type": "string", "maxLength": 3}, str),
        ({"type": "integer", "minimum": -5, "maximum": 250}, int),
    ]
)
OBJECTS = st.dictionaries(st.sampled_from("abcdef"), LEAVES, min_size=1, max_size=3)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TextEngine]:
    engine = tiny_engine(tmp_path_factory.mktemp("llama"))
    yield engine
    engine.unload()


def asked(schema: dict[str, Any], **options: Any) -> GenerateText:
    form = JsonSchemaFormat(JsonSchema("answer", schema))
    return GenerateText("Hello", max_tokens=600, response_format=form, **options)


def check_person(reply: TextReply) -> None:
    person = json.loads(reply.text)
    assert person.keys() == {"name", "age", "tags"}
    assert len(person["name"]) <= 8
    assert 0 <= person["age"] <= 120
    assert set(person["tags"]) <= {"a", "b"}
    assert reply.finish_reason == "stop"


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(OBJECTS, st.integers(0, 2**32))
def test_whatever_the_schema_the_answer_keeps_to_it(
    engine: TextEngine, fields: dict[str, tuple[dict[str, Any], type]], seed: int
) -> None:
    """And ends by itself: nothing follows the last bracket."""
    schema = {
        "type": "object",
        "properties": {name: leaf for name, (leaf, _) in fields.items()},
        "required": sorted(fields),
        "additionalProperties": False,
    }
    (answer,) = answers(engine, asked(schema, seed=seed))
    said = json.loads(answer.reply.text)
    assert {name: type(value) for name, value in said.items()} == {
        name: kind for name, (_, kind) in fields.items()
    }
    assert answer.reply.finish_reason == "stop"


def test_held_and_free_rows_are_one_batch_and_each_says_what_it_says_alone(
    engine: TextEngine,
) -> None:
    """WK-13 Greedy and sampled, with penalties and log probabilities."""
    requests = [
        asked(PERSON, temperature=0),
        GenerateText("Hello", max_tokens=30, temperature=0),
        asked(PERSON, seed=1, top_p=0.9, frequency_penalty=1.0),
        GenerateText("Hello", max_tokens=30, seed=2, response_format=TextFormat()),
        asked(PERSON, seed=4, logprobs=True, top_logprobs=2),
    ]
    alone = [answers(engine, request)[0].reply for request in requests]
    together = [answer.reply for answer in answers(engine, *requests)]
    assert [reply.text for reply in together] == [reply.text for reply in alone]
    for reply in (together[0], together[2], together[4]):
        check_person(reply)
    assert together[4].logprobs is not None
    said = b"".join(bytes(entry.bytes) for entry in together[4].logprobs)
    assert said.decode() == together[4].text
    # They are the model's own: what the form forbids may be the likeliest all the same.
    assert any(
        entry.logprob < min(top.logprob for top in entry.top_logprobs)
        for entry in together[4].logprobs
    )


def test_a_json_object_may_hold_anything(engine: TextEngine) -> None:
    """It begins as an object, and is one where it comes to its end."""
    for seed in range(12):
        request = msgspec.structs.replace(
            asked({}, seed=seed), response_format=JsonObjectFormat(), max_tokens=120
        )
        (answer,) = answers(engine, request)
        assert answer.reply.text.startswith("{")
        if answer.reply.finish_reason == "stop":
            assert isinstance(json.loads(answer.reply.text), dict)


def test_a_number_ends_with_the_models_end_token(engine: TextEngine) -> None:
    """More digits could follow, so the model says when it is over, or its tokens do."""
    (answer,) = answers(engine, asked({"type": "integer"}, seed=5))
    int(answer.reply.text)
    assert answer.reply.finish_reason in ("stop", "length")


def test_it_ends_with_its_last_token(engine: TextEngine) -> None:
    """No step is made for an end token; as many tokens as it takes are enough."""
    ((_, whole),) = answers(engine, asked(PERSON, seed=1, logprobs=True))
    assert whole.logprobs is not None
    assert len(whole.logprobs) == whole.usage.completion_tokens
    just = msgspec.structs.replace(asked(PERSON, seed=1), max_tokens=whole.usage.completion_tokens)
    ((_, again),) = answers(engine, just)
    assert (again.text, again.finish_reason) == (whole.text, "stop")


def test_too_few_tokens_cut_it_off(engine: TextEngine) -> None:
    """The reason is length, as it is for any text."""
    (answer,) = answers(engine, msgspec.structs.replace(asked(PERSON), max_tokens=4))
    assert answer.reply.finish_reason == "length"


def test_want_of_memory_in_the_midst_of_it_changes_nothing(
    engine: TextEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """WK-08 The rows are read anew, and go on with their forms where they were."""
    requests = [asked(PERSON, temperature=0), asked(PERSON, seed=1)]
    whole = [answer.reply for answer in answers(engine, *requests)]
    forward, passes = engine._model.forward, iter(range(10_000))

    def fails_once(*args: Any, **options: Any) -> Any:
        if next(passes) == 9:
            raise torch.OutOfMemoryError("out of memory")
        return forward(*args, **options)

    monkeypatch.setattr(engine._model, "forward", fails_once)
    for id, request in enumerate(requests):
        assert engine.begin(id, request)
    ends: dict[int, TextReply] = {}
    while len(ends) < 2:
        try:
            steps = engine.step()
        except torch.OutOfMemoryError as error:
            steps = engine.recover(error)
        ends |= {step.id: step.reply for step in steps if step.is_last}
    assert [ends[0], ends[1]] == whole


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "strin"}, "Invalid type"),
        ({"properties": {"a": {"$ref": "#/$defs/none"}}}, "does not exist"),
        ({"type": "string", "pattern": "(a|b"}, "unclosed group"),
        ({"type": "array", "uniqueItems": True}, "uniqueItems"),
    ],
)
def test_a_schema_that_no_answer_can_keep_to_is_invalid_input(
    engine: TextEngine, schema: dict[str, Any], words: str
) -> None:
    """Before the device is touched, with the field's path, and in words."""
    with pytest.raises(InvalidInput) as caught:
        engine.begin(1, asked(schema))
    ((path, said),) = caught.value.details["field_errors"].items()
    assert path == "response_format.json_schema.schema"
    assert words in said
    assert len(said) < 400
    assert engine._batch is not None
    assert engine._batch.rows == []


def test_a_form_that_turns_out_too_complex_fails_its_row_alone(
    engine: TextEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its automaton is bounded, and made as it is used; the bound is a low one here."""
    monkeypatch.setattr(grammar_module, "_MOST_STATES", 60)
    monstrous = asked({"type": "string", "pattern": "^(.*[ab].{40}){20}$"}, seed=1)
    assert engine.begin(0, monstrous)
    assert engine.begin(1, GenerateText("Hello", max_tokens=300, seed=1))
    ends: dict[int, Step] = {}
    while len(ends) < 2:
        ends |= {step.id: step for step in engine.step() if step.is_last}
    error = ends[0].error
    assert isinstance(error, InvalidInput)
    assert "too complex" in error.details["field_errors"]["response_format"]
    assert ends[1].error is None


def test_without_the_extra_the_error_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts without a form don't need it."""
    monkeypatch.setitem(sys.modules, "llguidance", None)
    engine = tiny_engine(tmp_path)
    with pytest.raises(InvalidInput, match=r"pip install 'failsoft\[structured\]'"):
        engine.begin(1, asked(PERSON))
    ((_, reply),) = answers(engine, GenerateText("Hello", max_tokens=2, seed=0))
    assert reply.usage.completion_tokens == 2
    engine.unload()
