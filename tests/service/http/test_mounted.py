"""SRV-08: in somebody's own app; what docs/service.md prints works as printed."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from .served import ServedProcess

PAGE = (Path(__file__).parents[3] / "docs" / "service.md").read_text()
PROGRAMS = dict(re.findall(r"```python\n# (\w+)\.py\n(.*?)```", PAGE, re.DOTALL))


@contextlib.contextmanager
def running(program: str, folder: Path) -> Iterator[ServedProcess]:
    """Have uvicorn itself serve the program's ``app``."""
    (folder / "program.py").write_text(program)
    command = ["-m", "uvicorn", "program:app", "--fd", "{fd}"]
    served = ServedProcess(command, folder / "log", cwd=folder)
    try:
        yield served
    finally:
        served.close()


def test_the_page_has_three_programs() -> None:
    """So that none is left out below."""
    assert list(PROGRAMS) == ["alone", "mounted", "depending"]
    assert PAGE.count("```python") == 3


def test_alone(tmp_path: Path) -> None:
    """SRV-08 Any server runs the app's own lifespan where nothing is around it."""
    with running(PROGRAMS["alone"], tmp_path) as service, service.client() as client:
        assert client.post("/generate", json={"prompt": "hello"}).json()["text"] == "hello"


@pytest.mark.parametrize("name", ["mounted", "depending"])
def test_mounted(tmp_path: Path, name: str) -> None:
    """SRV-08 Under a prefix, beside the app's own routes, which ask the same models."""
    with running(PROGRAMS[name], tmp_path) as service:
        with service.client() as client:
            own = client.get("/summary", params={"of": "a long story"})
            assert own.json() == "Sum up: a long story"
            assert "x-correlation-id" not in own.headers
            answer = client.post("/ai/generate", json={"prompt": "hello"})
            assert answer.json()["text"] == "hello"
            assert "x-correlation-id" in answer.headers
            assert client.get("/ai/nowhere").json()["error_type"] == "not_found"
            assert client.get("/ai/v1/nowhere").json()["error"]["code"] == "not_found"
            assert client.get("/ai/generate").status_code == 405
            assert client.get("/ai/livez").json() == {"ok": True, "reasons": []}
            assert client.get("/nowhere").json() == {"detail": "Not Found"}
        with service.openai(base_url=f"{service.url}/ai/v1") as ai:
            assert [model.id for model in ai.models.list()] == ["text"]
    # Stopped with the app: ``close`` has waited for the workers' end.
    assert "Application shutdown complete" in service.log


def test_mounted_without_its_lifespan(tmp_path: Path) -> None:
    """SRV-08 Each request is told what is missing, and so is whoever watches."""
    program = PROGRAMS["mounted"].replace("lifespan=ai.lifespan", "")
    with running(program, tmp_path) as service, service.client() as client:
        for path in ("/ai/generate", "/ai/v1/completions"):
            answer = client.post(path, json={"prompt": "hello"})
            assert answer.status_code == 503
            assert "must run its lifespan" in answer.text
        assert client.get("/ai/livez").status_code == 503
        assert client.get("/ai/health").status_code == 503


ONE_THAT_FAILS = """
from failsoft import Actor, Message, System, candidate, child, handles, supervisor, router
from failsoft import GenerateText, TextReply
from failsoft.service.http import failsoft_app
from failsoft.supervisors import Intensity, NO_WAIT

class Doomed(Actor):
    @handles(GenerateText)
    def fail(self, request: GenerateText) -> TextReply:
        raise OSError("it ends here")

tree = supervisor("root", child("text", Doomed), intensity=Intensity(0))
app = failsoft_app(tree, routes={"text": "root/text"})
"""


def test_a_tree_that_fails(tmp_path: Path) -> None:
    """The request is answered; from then on the service isn't alive, and says so."""
    with running(ONE_THAT_FAILS, tmp_path) as service, service.client() as client:
        assert client.get("/livez").status_code == 200
        answer = client.post("/generate", json={"prompt": "hello"})
        assert answer.status_code >= 500
        assert answer.json()["error_type"] in ("generation_failed", "model_overloaded")
        while client.get("/livez").status_code == 200:
            pass
        later = client.post("/generate", json={"prompt": "hello"})
        assert later.status_code == 503
        assert "must be restarted" in later.json()["error"]


def test_a_tree_that_fails_ends_serve(tmp_path: Path) -> None:
    """With a status that has whatever watches it start it anew."""
    end = "\nimport socket, sys\nfrom failsoft.service.http import serve\n"
    end += "serve(app, sockets=[socket.socket(fileno=int(sys.argv[1]))])\n"
    (tmp_path / "program.py").write_text(ONE_THAT_FAILS + end)
    service = ServedProcess(["program.py", "{fd}"], tmp_path / "log", cwd=tmp_path)
    try:
        with service.client() as client, contextlib.suppress(httpx2.HTTPError):
            client.post("/generate", json={"prompt": "hello"})
        assert service.status() == 1
        assert "TreeFailed" in service.log
    finally:
        service.close()
