"""What docs/engines.md shows is an engine, and does what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from failsoft.gpu.serving.serve import _is_engine
from failsoft.gpu.serving.turns import Turns
from failsoft.gpu.text.engine import TextEngine
from failsoft.messages import GenerateText, JsonSchemaFormat, ResponseFormat, TextReply
from failsoft.messages.response_format import MAX_SCHEMA_BYTES
from failsoft.messages.validation import MAX_LOGPROBS, validate_text

PAGE = Path(__file__).parents[2] / "docs" / "engines.md"


def test_the_engine_of_the_page_answers() -> None:
    """In 30 lines, with steps and an end."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 30
    names: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), names)
    engine = names["Shouting"](mark="?")
    assert _is_engine(names["Shouting"])
    assert engine.load(lambda done, total: None) == {"model": "shouting"}
    turns = Turns(engine)
    assert turns.begin(1, GenerateText("two words"))
    steps = [turns.step()[0] for _ in range(4)]
    assert [step.is_last for step in steps] == [False, False, False, True]
    assert isinstance(steps[-1].reply, TextReply)
    assert steps[-1].reply.text == "TWO?WORDS?"


def test_the_page_tells_the_defaults_of_the_text_engine() -> None:
    """The numbers of its text are those of the code."""
    engine = TextEngine("any")
    said = " ".join(PAGE.read_text().split())
    assert f"`max_batch` ({engine.max_batch})" in said
    assert f"`max_batch_tokens` ({engine._max_batch_tokens:,})" in said
    assert f"`prompt_chunk` ({engine._prompt_chunk})" in said
    assert f"`prefix_tokens` ({engine._prefix_tokens:,})" in said
    assert f"at most {MAX_LOGPROBS:,}" in said
    assert f"at most {MAX_SCHEMA_BYTES // 1024} KiB" in said


def test_the_response_format_of_the_page_is_one() -> None:
    """As it is sent."""
    (body,) = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    form = msgspec.json.decode(body, type=ResponseFormat)
    assert isinstance(form, JsonSchemaFormat)
    assert validate_text(GenerateText("hi", response_format=form))
