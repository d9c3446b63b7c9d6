"""Whether a model can be fetched: asked of a real server in the hub's place."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from failsoft.service.doctor.hub import endpoint, is_offline, trouble_with


class Hub(http.server.BaseHTTPRequestHandler):
    """Have one model, and one that breaks."""

    def do_GET(self) -> None:
        status = {"/api/models/some/model": 200, "/api/models/some/broken": 500}
        self.send_response(status.get(self.path, 401))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_words: object) -> None: ...


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("some/model", ""),
        ("some/other", "has no such model, or it is a private one (status 401)"),
        ("some/broken", "answers with status 500"),
    ],
)
def test_asking_the_hub(hub: str, model: str, said: str) -> None:
    """It doesn't tell a model that isn't there from a private one."""
    trouble = trouble_with(model, hub)
    assert trouble == (f"{hub} {said}" if said else "")


def test_a_hub_that_cannot_be_reached() -> None:
    """Or that nothing here could ask."""
    assert "can't be reached" in trouble_with("some/model", "http://127.0.0.1:1")
    assert trouble_with("some/model", None) == "huggingface_hub is not installed"


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("on", True), ("0", False)])
def test_offline(value: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the same words as huggingface_hub takes."""
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    assert is_offline() is expected


def test_the_hub_is_where_huggingface_hub_looks() -> None:
    """Also where HF_ENDPOINT names another one."""
    assert (endpoint() or "").startswith("http")
