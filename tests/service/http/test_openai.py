"""SRV-01: the openai client, as it comes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import msgspec
import openai
import pytest
from openai.types import EmbeddingCreateParams, completion_create_params
from openai.types.chat import ChatCompletionStreamOptionsParam
from openai.types.chat.completion_create_params import CompletionCreateParamsBase
from openai.types.image_generate_params import ImageGenerateParamsBase

from failsoft.messages import GenerateText
from failsoft.service.http.openai.chat_body import ChatBody
from failsoft.service.http.openai.choices import multiplied
from failsoft.service.http.openai.completions import CompletionBody
from failsoft.service.http.openai.embeddings import EmbeddingsBody
from failsoft.service.http.openai.images import ImagesBody
from failsoft.service.http.openai.text_fields import StreamOptions

from .program import PNG
from .served import ServedProcess

HELLO: Any = [{"role": "user", "content": "count"}]


@pytest.fixture(scope="module")
def ai(service: ServedProcess) -> Iterator[openai.OpenAI]:
    with service.openai() as client:
        yield client


def test_models(ai: openai.OpenAI) -> None:
    """SRV-01 All routers by their names, and one of them."""
    names = [model.id for model in ai.models.list()]
    assert names == ["text", "single", "crowd", "embeddings", "images"]
    assert ai.models.retrieve("text").id == "text"
    with pytest.raises(openai.NotFoundError) as raised:
        ai.models.retrieve("gpt-17")
    assert raised.value.code == "model_not_found"


def test_a_chat(ai: openai.OpenAI) -> None:
    """SRV-01 With usage, and what of ours goes with it."""
    said = ai.chat.completions.create(model="text", messages=HELLO)
    (choice,) = said.choices
    assert choice.message.content == "one two three four"
    assert (choice.message.role, choice.finish_reason) == ("assistant", "stop")
    assert said.usage is not None
    assert (said.usage.prompt_tokens, said.usage.completion_tokens) == (1, 4)
    assert (said.usage.total_tokens, said.model) == (5, "text")
    assert said.model_extra is not None
    assert said.model_extra["failsoft"] == {
        "model_used": "primary",
        "was_fallback": False,
        "attempts": 1,
        "degradation_level": "full",
        "warning": None,
    }


def test_a_chat_of_parts_and_roles(ai: openai.OpenAI) -> None:
    """SRV-01 Content in parts, a developer's turn, and what clients send that asks for nothing."""
    turns: Any = [
        {"role": "developer", "content": "be brief"},
        {"role": "assistant", "content": "yes", "refusal": None, "tool_calls": None},
        {
            "role": "user",
            "content": [{"type": "text", "text": "a "}, {"type": "text", "text": "b"}],
        },
    ]
    said = ai.chat.completions.create(
        model="text", messages=turns, tools=[], tool_choice="auto", store=False, user="me"
    )
    assert said.choices[0].message.content == "be brief\nyes\na b"


def test_stop_strings_and_length(ai: openai.OpenAI) -> None:
    """SRV-01 One or several strings; both names of the most tokens."""

    def reason(**fields: Any) -> tuple[str | None, str]:
        said = ai.chat.completions.create(model="text", messages=HELLO, **fields).choices[0]
        return said.message.content, said.finish_reason

    assert reason(stop="three") == ("one two ", "stop")
    assert reason(stop=["four", "two"]) == ("one ", "stop")
    assert reason(max_tokens=2) == ("one two ", "length")
    assert reason(max_completion_tokens=1) == ("one ", "length")


def test_a_streamed_chat(ai: openai.OpenAI) -> None:
    """SRV-01 The role comes first, the reason last, and then the usage where it is wanted."""
    chunks = list(
        ai.chat.completions.create(
            model="text", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    *pieces, usage = chunks
    assert pieces[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in pieces) == "one two three four"
    assert [chunk.choices[0].finish_reason for chunk in pieces if chunk.choices[0].finish_reason]
    assert pieces[-1].choices[0].finish_reason == "stop"
    assert usage.choices == []
    assert usage.usage is not None
    assert usage.usage.total_tokens == 5
    assert all(chunk.usage is None for chunk in pieces)
    assert len({chunk.id for chunk in chunks}) == 1


def test_several_choices(ai: openai.OpenAI) -> None:
    """SRV-01 Side by side, whole and streamed; the prompt counts once."""
    said = ai.chat.completions.create(model="text", messages=HELLO, n=3)
    assert [choice.index for choice in said.choices] == [0, 1, 2]
    assert said.usage is not None
    assert (said.usage.prompt_tokens, said.usage.completion_tokens) == (1, 12)
    texts = {0: "", 1: ""}
    for chunk in ai.chat.completions.create(model="text", messages=HELLO, n=2, stream=True):
        texts[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert texts == {0: "one two three four", 1: "one two three four"}
    with pytest.raises(openai.UnprocessableEntityError) as raised:
        ai.chat.completions.create(model="text", messages=HELLO, n=9)
    assert raised.value.param == "n"


def test_choices_of_a_seed_differ() -> None:
    """SRV-01 Each has the next one, and the last of all is followed by the first."""
    seeds = [request.seed for request in multiplied(GenerateText("a", seed=2**63 - 1), 3)]
    assert seeds == [2**63 - 1, -(2**63), 1 - 2**63]
    assert [request.seed for request in multiplied(GenerateText("a"), 2)] == [None, None]


def test_completions(ai: openai.OpenAI) -> None:
    """SRV-01 Of one prompt or several, whole and streamed."""
    said = ai.completions.create(model="text", prompt="count")
    assert (said.choices[0].text, said.object) == ("one two three four", "text_completion")
    several = ai.completions.create(model="text", prompt=["a b", "c"], n=2)
    assert [choice.text for choice in several.choices] == ["a b", "a b", "c", "c"]
    assert several.usage is not None
    assert (several.usage.prompt_tokens, several.usage.completion_tokens) == (3, 6)
    streamed = ai.completions.create(
        model="text", prompt="count", stream=True, stream_options={"include_usage": True}
    )
    *pieces, usage = list(streamed)
    assert "".join(piece.choices[0].text for piece in pieces) == "one two three four"
    assert usage.usage is not None
    assert usage.usage.completion_tokens == 4


def test_embeddings(ai: openai.OpenAI) -> None:
    """SRV-01 As the client asks for them (base64), and as numbers."""
    said = ai.embeddings.create(model="embeddings", input=["a", "abc"])
    assert [data.embedding for data in said.data] == [[1.0, 0.5], [3.0, 0.5]]
    assert said.usage.total_tokens == 2
    raw = ai.embeddings.with_raw_response.create(
        model="embeddings", input="ab", encoding_format="base64"
    )
    assert "AAAAQAAAAD8=" in raw.text  # 2.0 and 0.5
    assert struct.pack("<2f", 2.0, 0.5) == b"\0\0\0\x40\0\0\0\x3f"
    plain = ai.embeddings.create(model="embeddings", input="ab", encoding_format="float")
    assert plain.data[0].embedding == [2.0, 0.5]


def test_images(ai: openai.OpenAI) -> None:
    """SRV-01 As base64; the size is one word."""
    said = ai.images.generate(
        model="images", prompt="a cat", n=2, size="256x256", response_format="b64_json"
    )
    assert said.data is not None
    assert [image.b64_json for image in said.data] == [PNG, PNG]
    assert said.size == "256x256"
    for size in ("huge", "100x100", "2048x2048"):
        with pytest.raises(openai.UnprocessableEntityError) as raised:
            ai.images.generate(model="images", prompt="a cat", size=size)
        assert raised.value.param == "size"


@pytest.mark.parametrize(
    ("prompt", "kind", "code"),
    [
        ("too long", openai.BadRequestError, "context_length_exceeded"),
        ("memory", openai.InternalServerError, "out_of_memory"),
        ("overload", openai.InternalServerError, "model_overloaded"),
        ("half", openai.InternalServerError, "generation_failed"),
        (" ", openai.UnprocessableEntityError, "invalid_input"),
    ],
)
def test_errors_become_the_clients_own(
    ai: openai.OpenAI, prompt: str, kind: type[openai.APIStatusError], code: str
) -> None:
    """SRV-01 With our kind as their code, and the correlation id as their request's."""
    turns: Any = [{"role": "user", "content": prompt}]
    with pytest.raises(kind) as raised:
        ai.chat.completions.create(model="text", messages=turns)
    assert raised.value.code == code
    assert raised.value.request_id == raised.value.response.headers["x-correlation-id"]


def test_an_error_in_the_midst_of_a_stream(ai: openai.OpenAI) -> None:
    """SRV-01 Is raised by the client, after what had come; before that it is a status."""
    stream = ai.chat.completions.create(
        model="text", messages=[{"role": "user", "content": "half"}], stream=True
    )
    assert [next(stream).choices[0].delta.content for _ in range(2)] == ["one ", "two "]
    with pytest.raises(openai.APIError) as raised:
        next(stream)
    assert raised.value.code == "generation_failed"
    with pytest.raises(openai.BadRequestError):
        ai.chat.completions.create(
            model="text", messages=[{"role": "user", "content": "too long"}], stream=True
        )


def test_its_retry_heeds_retry_after(service: ServedProcess) -> None:
    """SRV-01 It asks again when it is told that this may help, and only then."""
    for prompt, requests in (("overload", 2), ("memory", 1)):
        asked: list[Any] = []
        with openai.DefaultHttpxClient(event_hooks={"response": [asked.append]}) as http:
            ai = service.openai(max_retries=1, http_client=http)
            with pytest.raises(openai.InternalServerError):
                ai.completions.create(model="text", prompt=prompt)
        assert len(asked) == requests
    assert [answer.headers.get("retry-after") for answer in asked] == [None]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tools", [{"type": "function", "function": {"name": "f"}}]),
        ("logit_bias", {"1": 2}),
        ("modalities", ["text", "audio"]),
        ("audio", {"voice": "alloy", "format": "wav"}),
        ("reasoning_effort", "high"),
        ("store", True),
        ("web_search_options", {"user_location": None}),
        ("prompt_cache_retention", "24h"),
    ],
)
def test_what_cannot_be_served_is_refused_by_name(
    ai: openai.OpenAI, field: str, value: object
) -> None:
    """SRV-01 And not ignored in silence."""
    asked: Any = {field: value}
    with pytest.raises(openai.UnprocessableEntityError) as raised:
        ai.chat.completions.create(model="text", messages=HELLO, **asked)
    assert raised.value.param == field
    assert "isn't served here" in raised.value.message


@pytest.mark.parametrize(
    ("sent", "known"),
    [
        (CompletionCreateParamsBase, ChatBody),
        (completion_create_params.CompletionCreateParamsBase, CompletionBody),
        (EmbeddingCreateParams, EmbeddingsBody),
        (ImageGenerateParamsBase, ImagesBody),
        (ChatCompletionStreamOptionsParam, StreamOptions),
    ],
)
def test_each_field_that_the_client_can_send_is_known(
    sent: type, known: type[msgspec.Struct]
) -> None:
    """SRV-01 Served or refused: nobody is told that there is no such thing."""
    assert set(sent.__annotations__) - set(known.__struct_fields__) == set()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        (
            {"stream": True, "stream_options": {"include_obfuscation": True}},
            "stream_options.include_obfuscation",
        ),
    ],
)
def test_stream_options_that_say_nothing(
    ai: openai.OpenAI, fields: dict[str, Any], param: str
) -> None:
    """SRV-01 Without a stream, or of what isn't done, they are refused too."""
    with pytest.raises(openai.UnprocessableEntityError) as raised:
        ai.chat.completions.create(model="text", messages=HELLO, **fields)
    assert raised.value.param == param
    with pytest.raises(openai.UnprocessableEntityError) as raised:
        ai.completions.create(model="text", prompt="count", **fields)
    assert raised.value.param == param


@pytest.mark.parametrize(
    "turn",
    [
        {"role": "tool", "content": "42", "tool_call_id": "1"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://a"}}]},
        {"role": "user", "content": "a", "name": "bob"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
    ],
)
def test_turns_that_cannot_be_served(ai: openai.OpenAI, turn: Any) -> None:
    """SRV-01 Tools, pictures and names are refused by their place."""
    with pytest.raises(openai.UnprocessableEntityError) as raised:
        ai.chat.completions.create(model="text", messages=[*HELLO, turn])
    assert raised.value.param is not None
    assert raised.value.param.startswith("messages[1]")
