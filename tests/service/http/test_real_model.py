"""SRV-01 with a real language model: SmolLM2, by the openai client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from .served import ServedProcess

PROGRAM = """
import socket, sys
from failsoft import model, router, supervisor
from failsoft.gpu import text_worker
from failsoft.service.http import failsoft_app, serve

worker = text_worker(sys.argv[2], threads=1, context_length=256)
tree = supervisor("root", router("text", model("smollm2", worker)))
if __name__ == "__main__":
    serve(failsoft_app(tree), sockets=[socket.socket(fileno=int(sys.argv[1]))])
"""
ASKED: Any = {
    "model": "text",
    "messages": [{"role": "user", "content": "What is the capital of France?"}],
    "temperature": 0,
    "max_completion_tokens": 8,
    "logprobs": True,
}


@pytest.fixture(scope="module")
def ai(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[openai.OpenAI]:
    folder = tmp_path_factory.mktemp("smollm2")
    (folder / "program.py").write_text(PROGRAM)
    service = ServedProcess(["program.py", "{fd}", str(smollm2)], folder / "log", cwd=folder)
    try:
        with service.openai() as client:
            yield client
    finally:
        service.close()


def test_a_chat_whole_and_streamed(ai: openai.OpenAI) -> None:
    """SRV-01 Both are the same text, of the same tokens."""
    whole = ai.chat.completions.create(**ASKED)
    choice = whole.choices[0]
    assert choice.message.content is not None
    assert "Paris" in choice.message.content
    assert choice.logprobs is not None
    assert choice.logprobs.content is not None
    assert "".join(each.token for each in choice.logprobs.content) == choice.message.content
    *chunks, usage = ai.chat.completions.create(
        **ASKED, stream=True, stream_options={"include_usage": True}
    )
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert streamed == choice.message.content
    assert whole.usage is not None
    assert usage.usage is not None
    assert usage.usage.completion_tokens == whole.usage.completion_tokens <= 8


def test_an_answer_in_json(ai: openai.OpenAI) -> None:
    """SRV-01 The schema that the client sends is kept to."""
    schema = {
        "type": "object",
        "properties": {"capital": {"enum": ["Paris", "Rome"]}},
        "required": ["capital"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "capital", "schema": schema}}
    asked = {**ASKED, "response_format": form, "max_completion_tokens": 32}
    said = ai.chat.completions.create(**asked)
    assert json.loads(said.choices[0].message.content or "") == {"capital": "Paris"}


def test_a_prompt_that_is_too_long(ai: openai.OpenAI) -> None:
    """SRV-01 Is the client's BadRequestError, with the code that OpenAI's has."""
    turns = [{"role": "user", "content": "word " * 400}]
    with pytest.raises(openai.BadRequestError) as raised:
        ai.chat.completions.create(**{**ASKED, "messages": turns})
    assert raised.value.code == "context_length_exceeded"
    assert isinstance(raised.value.body, dict)
    assert raised.value.body["failsoft"]["details"]["max_length"] < 256
