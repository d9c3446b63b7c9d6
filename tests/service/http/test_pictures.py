"""SRV-03: pictures that come with a prompt are looked at, and refused in words."""

from __future__ import annotations

import base64
from typing import Any

import httpx2
import pytest

from failsoft.messages.upload import MAX_UPLOAD_BYTES
from failsoft.service.http.picture import check_picture

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 16).decode()
TAKEN_BY_NOBODY = "is a picture (PNG), and no model here takes any; take it out"
BAD = {
    "": "must not be empty",
    "data:image/png;base64,": "must not be empty",
    "not base64!": "is not valid base64",
    "data:image/png;base64,AAA": "is not valid base64",
    "ä": "is not valid base64",
    base64.b64encode(b"nonsense").decode(): "of no type that is known here",
    base64.b64encode(b"%PDF-1.7").decode(): "by its content it is PDF",
    "data:image/png;base64," + base64.b64encode(b"<svg/>").decode(): "of no type that is known",
    "https://169.254.169.254/latest": "nothing is fetched from elsewhere",
    "file:///etc/passwd": "nothing is fetched from elsewhere",
    "data:image/png,raw": "nothing is fetched from elsewhere",
}


def in_generate(client: httpx2.Client, picture: str) -> httpx2.Response:
    return client.post("/generate", json={"prompt": "What is this?", "image": picture})


def in_chat(client: httpx2.Client, picture: str) -> httpx2.Response:
    parts: list[Any] = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": picture, "detail": "auto"}},
    ]
    turns = [{"role": "user", "content": parts}]
    return client.post("/v1/chat/completions", json={"messages": turns})


@pytest.mark.parametrize("picture", [PNG, f"data:image/png;base64,{PNG}"])
def test_a_picture_that_is_one(client: httpx2.Client, picture: str) -> None:
    """SRV-03 Is refused all the same: the answer would be about what no model saw."""
    answer = in_generate(client, picture)
    assert answer.status_code == 422
    assert answer.json()["details"]["field_errors"] == {"image": TAKEN_BY_NOBODY}
    chat = in_chat(client, picture)
    assert chat.status_code == 422
    error = chat.json()["error"]
    assert error["param"] == "messages[0].content[1].image_url.url"
    assert error["failsoft"]["details"]["field_errors"] == {error["param"]: TAKEN_BY_NOBODY}


@pytest.mark.parametrize(("picture", "said"), BAD.items())
def test_one_that_is_none(client: httpx2.Client, picture: str, said: str) -> None:
    """SRV-03 Its fault is told; and what is said to be elsewhere is not gone to."""
    for answer, path in (
        (in_generate(client, picture).json(), "image"),
        (in_chat(client, picture).json()["error"]["failsoft"], "messages[0].content[1]"),
    ):
        (told,) = answer["details"]["field_errors"].items()
        assert told[0].startswith(path)
        assert said in told[1]


def test_one_that_is_too_large() -> None:
    """SRV-03 Where the body may be larger than a file."""
    errors: dict[str, str] = {}
    check_picture(base64.b64encode(b"\0" * (MAX_UPLOAD_BYTES + 1)).decode(), "image", errors)
    assert errors == {"image": f"must have at most {MAX_UPLOAD_BYTES} bytes; it has 10485761"}


def test_a_form_with_a_file(client: httpx2.Client) -> None:
    """SRV-03 Bodies are JSON alone."""
    answer = client.post("/generate", data={"prompt": "a"}, files={"image": b"\x89PNG\r\n\x1a\n"})
    assert answer.status_code == 415
