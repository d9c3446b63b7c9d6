"""Streams of the service's own endpoints: pieces as they come, then the whole answer."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from .program import PNG
from .served import ServedProcess, post, read_all, read_until
from .test_clients_that_leave import body, is_free

TEXTS = ["/generate", "/generate_resilient", "/adaptive_generate"]
Event = tuple[str, Any]


def events(client: httpx2.Client, path: str, **fields: Any) -> list[Event]:
    """Ask for a stream; give the events' names, each with its data."""
    answer = client.post(path, json={**fields, "stream": True})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    told: list[Event] = []
    for event in answer.text.removesuffix("\n\n").split("\n\n"):
        name, data = event.split("\n")
        told.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return told


@pytest.mark.parametrize("path", TEXTS)
def test_a_text_in_pieces(client: httpx2.Client, path: str) -> None:
    """Each of the three: the pieces are the text, and the last event is the whole answer."""
    *pieces, last = events(client, path, prompt="count")
    assert {name for name, _ in pieces} == {"chunk"}
    assert [piece["text"] for _, piece in pieces] == ["one ", "two ", "three ", "four"]
    assert all(piece["tokens"] == 1 for _, piece in pieces)
    whole = client.post(path, json={"prompt": "count"}).json()
    assert last == ("reply", whole)


def test_an_image_step_by_step(client: httpx2.Client) -> None:
    """Its steps are told as they are done; the answer has what the last of them knew."""
    *steps, last = events(client, "/generate_image", prompt="a cat", num_inference_steps=3)
    assert steps == [("step", {"step": step, "steps": 3}) for step in (1, 2, 3)]
    name, answer = last
    assert (name, answer["image_base64"], answer["steps"]) == ("reply", PNG, 3)
    assert (answer["model_used"], answer["warning"]) == ("painting", "Painted from memory.")


@pytest.mark.parametrize(("path", "name"), [("/generate", "chunk"), ("/generate_image", "step")])
def test_an_error_in_the_midst(client: httpx2.Client, path: str, name: str) -> None:
    """Is the last event, in the form that errors have."""
    told = events(client, path, prompt="half")
    assert {said for said, _ in told[:-1]} == {name}
    said, error = told[-1]
    assert (said, error["error_type"], error["error"]) == (
        *("error", "generation_failed", "It broke."),
    )
    assert error["correlation_id"]


@pytest.mark.parametrize(
    ("fields", "status"), [({"prompt": "too long"}, 400), ({"prompt": " "}, 422), ({}, 422)]
)
def test_an_error_before_the_first_event(
    client: httpx2.Client, fields: dict[str, Any], status: int
) -> None:
    """Has its status, as without a stream."""
    answer = client.post("/generate", json={**fields, "stream": True})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")


@pytest.mark.parametrize("stream", ["yes", 1, None])
def test_a_stream_is_asked_for_by_true_alone(client: httpx2.Client, stream: object) -> None:
    """Anything else is told by its name."""
    answer = client.post("/generate", json={"prompt": "count", "stream": stream})
    assert answer.json()["details"]["field_errors"].keys() == {"stream"}


def test_one_that_leaves_a_stream(client: httpx2.Client, service: ServedProcess) -> None:
    """SRV-02 Its slot is free in the midst of an answer that would take for ever."""
    with service.connect() as connection:
        connection.sendall(post("/generate", body("endless", stream=True)))
        read_until(connection, b"event: chunk")
    assert is_free(client)


def test_one_that_reads_too_slowly(client: httpx2.Client, service: ServedProcess) -> None:
    """SRV-06 It is dropped at the bound, and its slot is free."""
    with service.connect(receive_buffer=4096) as connection:
        connection.sendall(post("/generate", body("flood", stream=True)))
        read_until(connection, b"event: chunk")
        assert is_free(client)
        assert b"event: reply" not in read_all(connection)
