"""The bodies of the OpenAI API, where a request asks for more than a text."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from failsoft.actors.remote_spec import RemoteSpec
from failsoft.actors.remote_wire import TextPieces, text_body, text_reply
from failsoft.messages import (
    ChatMessage,
    GenerateText,
    InvalidInput,
    JsonSchema,
    JsonSchemaFormat,
    TokenLogprob,
    TopLogprob,
)

SPEC = RemoteSpec(base_url="http://there/v1", model="tiny")
FORM = JsonSchemaFormat(JsonSchema("person", {"type": "object"}))
ASKED = GenerateText(
    (ChatMessage("user", "hi"),), logprobs=True, top_logprobs=1, response_format=FORM
)
TOP = {"token": "é", "logprob": -0.1, "bytes": None}
SAID = {"token": "é", "logprob": -0.1, "bytes": [195, 169], "top_logprobs": [TOP]}
TOLD = TokenLogprob("é", -0.1, (195, 169), (TopLogprob("é", -0.1, (195, 169)),))


def test_the_form_and_log_probabilities_are_asked_for() -> None:
    """As the API has them; who doesn't ask sends neither."""
    body = json.loads(text_body(ASKED, SPEC, stream=False))
    assert (body["logprobs"], body["top_logprobs"]) == (True, 1)
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "person", "schema": {"type": "object"}},
    }
    plain = json.loads(text_body(GenerateText("hi"), SPEC, stream=False))
    assert not {"logprobs", "top_logprobs", "response_format", "batch_divisor"} & plain.keys()


def test_of_a_plain_prompt_there_are_none_to_be_had() -> None:
    """The API has another form for them there, which says less."""
    with pytest.raises(InvalidInput, match="send a chat"):
        text_body(msgspec.structs.replace(ASKED, prompt="hi"), SPEC, stream=False)


def test_log_probabilities_of_a_whole_answer_are_read() -> None:
    """Bytes that the server leaves out are those of the text."""
    choice = {"message": {"content": "é"}, "logprobs": {"content": [SAID]}, "finish_reason": "stop"}
    body = json.dumps({"choices": [choice]}).encode()
    assert text_reply(ASKED, body).logprobs == (TOLD,)
    unasked = msgspec.structs.replace(ASKED, logprobs=False, top_logprobs=0)
    assert text_reply(unasked, body).logprobs is None


def test_log_probabilities_of_a_stream_ride_with_its_text() -> None:
    """Those of an event without text come with the next text, or with the end."""
    pieces = TextPieces(ASKED, SPEC)

    def event(text: str, entries: list[Any], reason: str | None = None) -> str:
        choice = {"delta": {"content": text}, "logprobs": {"content": entries}}
        return json.dumps({"choices": [{**choice, "finish_reason": reason}]})

    assert pieces.feed(event("", [SAID])) is None
    first = pieces.feed(event("é", [SAID]))
    assert first is not None
    assert first.logprobs == (TOLD, TOLD)
    assert pieces.feed(event("", [SAID], "stop")) is None
    assert pieces.end().logprobs == (TOLD,)
