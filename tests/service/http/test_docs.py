"""docs/service.md and docs/openai.md name what there is."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from failsoft.service.http import HttpPolicy, failsoft_app, hashed
from failsoft.service.http.openai.chat_body import ChatBody, ChatTurn
from failsoft.service.http.openai.completions import CompletionBody
from failsoft.service.http.openai.embeddings import EmbeddingsBody
from failsoft.service.http.openai.images import ImagesBody
from failsoft.service.http.openai.unserved import unserved_fields
from failsoft.supervisors import supervisor

DOCS = Path(__file__).parents[3] / "docs"
SERVICE = (DOCS / "service.md").read_text()
OPENAI = (DOCS / "openai.md").read_text()


def test_each_endpoint_is_on_a_page() -> None:
    """Those of OpenAI's on their own."""
    app = failsoft_app(supervisor("root"), operator_hash=hashed("a token of some length"))
    for each in app.endpoints:
        page = OPENAI if each.is_openai else SERVICE
        assert each.path.partition("{")[0].rstrip("/") in page


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (ChatBody, "chat/completions"),
        (CompletionBody, "completions"),
        (EmbeddingsBody, "embeddings"),
        (ImagesBody, "images/generations"),
    ],
)
def test_each_field_is_on_the_page(kind: type[msgspec.Struct], path: str) -> None:
    """In the table of its endpoint, or in the first, which others lean on."""
    assert f"## `POST /v1/{path}`" in OPENAI
    named = set(re.findall(r"`(\w+)", OPENAI))
    # Without tools it asks for nothing, whatever it is.
    named.add("parallel_tool_calls")
    assert set(kind.__struct_fields__) - named == set()


@pytest.mark.parametrize(
    ("kind", "begin", "end"),
    [
        (ChatBody, "## `POST /v1/chat/completions`", "in a message:"),
        (ChatTurn, "in a message:", "## `POST /v1/completions`"),
        (CompletionBody, "## `POST /v1/completions`", "## `POST /v1/embeddings`"),
        (EmbeddingsBody, "## `POST /v1/embeddings`", "## `POST /v1/images/generations`"),
        (ImagesBody, "## `POST /v1/images/generations`", "## `GET /v1/models`"),
    ],
)
def test_what_is_refused_is_told_there(kind: type[msgspec.Struct], begin: str, end: str) -> None:
    """Each of them by its name, where its endpoint is told of."""
    told = OPENAI.partition(begin)[2].partition(end)[0].partition("| refused |")
    refused = set(unserved_fields(kind)) - {"parallel_tool_calls"}
    assert refused <= set(re.findall(r"`(\w+)`", told[2] or told[0]))


def test_the_bounds_are_those_of_the_policy() -> None:
    """As they are by default."""
    policy = HttpPolicy()
    assert f"at most {policy.max_body_bytes // 2**20} MiB" in SERVICE
    assert f"{policy.max_characters:,} characters" in SERVICE
    assert f"else {policy.default_timeout:g} s, and never over {policy.max_timeout:g} s" in SERVICE
    assert f"up to {policy.max_choices} (`HttpPolicy.max_choices`)" in OPENAI


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"max_timeout": 5.0}, "default_timeout"),
        ({"body_timeout": 0.0}, "body_timeout must be over 0 s"),
        ({"slow_reader_limit": float("inf")}, "slow_reader_limit"),
        ({"max_choices": 0}, "max_choices must be at least 1"),
    ],
)
def test_a_policy_that_contradicts_itself(fields: dict[str, float], said: str) -> None:
    """Is refused where it is made."""
    with pytest.raises(ValueError, match=said):
        HttpPolicy(**fields)  # type: ignore[arg-type]
