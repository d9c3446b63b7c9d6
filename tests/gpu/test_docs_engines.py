"""What docs/engines.md shows is an engine, and does what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from failsoft.gpu.serve import _is_engine
from failsoft.gpu.text import TextEngine
from failsoft.gpu.turns import Turns
from failsoft.messages import GenerateText, TextReply

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
