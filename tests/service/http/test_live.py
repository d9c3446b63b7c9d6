"""``/live``: pictures of the tree as server-sent events, for as many as look."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2

from .program import KEY, OPERATOR_TOKEN
from .served import serving

Told = Iterator[tuple[str, Any]]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@contextlib.contextmanager
def looking(client: httpx2.Client, token: str | None = None) -> Iterator[Told]:
    """Give the events of the stream, each with its name and its data."""
    with client.stream("GET", "/live", headers=bearer(token) if token else {}) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield told_by(answer.iter_lines())


def told_by(lines: Iterator[str]) -> Told:
    name = ""
    for line in lines:
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


def picture_where(told: Told, path: str, state: str) -> dict[str, Any]:
    """Give the first picture in which an actor is in that state."""
    for name, data in told:
        if name == "picture" and row_of(data, path).get("state") == state:
            picture: dict[str, Any] = data
            return picture
    raise AssertionError(f"the stream ended, and {path} was never {state}")


def row_of(picture: dict[str, Any], path: str) -> dict[str, Any]:
    return next((row for row in picture["rows"] if row["path"] == path), {})


def test_it_begins_with_who_looks_and_how_it_is(client: httpx2.Client) -> None:
    """The page needs nothing else."""
    with looking(client) as told:
        name, hello = next(told)
        assert (name, hello["is_operator"], hello["has_operators"]) == ("hello", False, False)
        picture = picture_where(told, "root/text/primary", "ready")
    assert {"text", "single", "crowd"} <= set(picture["models"])
    assert picture["told"]["alerts"] is None  # this tree has no such actor
    assert row_of(picture, "root/text")["answers_with"] == "primary"


def test_a_kill_is_told_as_it_happens(tmp_path: Path) -> None:
    """SRV-07 That the worker is lost and why, and that the next one is ready."""
    with (
        contextlib.closing(serving(tmp_path)) as served,
        served.client() as client,
        looking(client) as told,
    ):
        picture_where(told, "root/text/primary", "ready")
        tree = client.get("/tree").json()
        os.kill(pid_of(tree, "root/text/primary"), signal.SIGKILL)
        for _, data in told:
            if data.get("happened") and data["happened"][0]["over_at"] is not None:
                break
        (failure,) = data["happened"]
        assert failure["says"] == "its worker was killed by SIGKILL"
        assert failure["path"] == "root/text/primary"
        assert data["restarts"] == 1


def pid_of(nodes: list[dict[str, Any]], path: str) -> int:
    for node in nodes:
        if node["path"] == path:
            return int(node["shows"]["pid"])
        if path.startswith(node["path"] + "/"):
            return pid_of(node["children"], path)
    raise AssertionError(f"there is no {path}")


def test_it_is_for_those_with_a_key_or_the_token(tmp_path: Path) -> None:
    """SRV-10 And the operator may ask the models, too."""
    with (
        contextlib.closing(serving(tmp_path, "keys", "operator")) as served,
        served.client() as client,
    ):
        for headers in ({}, bearer("nobody's")):
            answer = client.get("/live", headers=headers)
            assert (answer.status_code, answer.json()["error_type"]) == (401, "unauthorized")
        with looking(client, KEY) as told:
            assert next(told)[1]["is_operator"] is False
        with looking(client, OPERATOR_TOKEN) as told:
            assert next(told)[1]["is_operator"] is True
        body = {"model": "crowd", "prompt": "a"}
        answer = client.post("/generate", json=body, headers=bearer(OPERATOR_TOKEN))
        assert answer.json()["text"] == "for '', 0"
        assert client.get("/").status_code == 200  # the page itself tells nothing


def test_draining_a_candidate(tmp_path: Path) -> None:
    """What it has in hand is finished, then it is stopped; a restart brings it back."""

    def order(client: httpx2.Client, name: str) -> httpx2.Response:
        body = {"path": "root/text/primary"}
        return client.post(f"/operator/{name}", json=body, headers=bearer(OPERATOR_TOKEN))

    served = contextlib.closing(serving(tmp_path, "operator"))
    with served as service, service.client() as client, looking(client) as told:
        picture_where(told, "root/text/primary", "ready")
        assert order(client, "drain").json() == {"done": True, "count": 1}
        assert row_of(picture_where(told, "root/text/primary", "stopped"), "root/text")
        assert order(client, "restart").status_code == 200
        picture = picture_where(told, "root/text/primary", "ready")
        says = [each["says"] for each in picture["happened"]]
        assert says == ["an operator restarts it", "an operator drains it"]
        body = {"path": "root/text"}
        refused = client.post("/operator/drain", json=body, headers=bearer(OPERATOR_TOKEN))
        assert refused.status_code == 422


def test_an_open_page_holds_up_no_end(tmp_path: Path) -> None:
    """SRV-05 Its stream ends when nothing is in hand any more, and the exit status is 0."""
    with (
        contextlib.closing(serving(tmp_path, "operator", grace="60")) as served,
        served.client() as client,
        looking(client) as told,
    ):
        picture_where(told, "root/text/primary", "ready")
        served.tell(signal.SIGTERM)
        for _ in told:
            pass
        assert served.status() == 0
