"""The Dockerfile: as its linter wants it, with all that the project is made of, and not as root."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.service.http.served import serving

from .material import ENDPOINTS, FOLDER, check, tool

FILE = FOLDER / "Dockerfile"
ROOT = Path(__file__).parents[3]


def instructions() -> list[tuple[str, str]]:
    """Give each instruction, with what follows it."""
    joined = FILE.read_text().replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def last(name: str) -> str:
    return [rest for word, rest in instructions() if word == name][-1]


def test_its_linter_has_nothing_to_say() -> None:
    """hadolint knows what goes wrong in Dockerfiles."""
    check([tool("hadolint"), FILE])


def test_all_that_the_project_is_made_of_is_copied() -> None:
    """Each folder that the namespace links to, and each file that the build reads."""
    copied = {name for word, rest in instructions() if word == "COPY" for name in rest.split()}
    linked = {path.name for path in (ROOT / "src" / "failsoft").iterdir() if path.is_symlink()}
    assert linked | {"src", "pyproject.toml", "constraints.txt", "README.md", "LICENSE"} <= copied
    assert all((ROOT / name).exists() for name in linked)


def test_it_does_not_run_as_root() -> None:
    """And says so by a number, which Kubernetes can check."""
    assert int(last("USER")) > 0


def test_it_serves_on_the_port_that_it_exposes() -> None:
    """To all who reach the container: it is its network that decides who does."""
    command = json.loads(last("CMD"))
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options == {"--host": "0.0.0.0", "--port": last("EXPOSE")}
    assert json.loads(last("ENTRYPOINT")) == ["failsoft"]


@pytest.fixture
def health() -> list[str]:
    """Give the command by which Docker asks a container how it is."""
    (command,) = re.findall(r"CMD (\[.*\])", last("HEALTHCHECK"))
    words: list[str] = json.loads(command)
    return [sys.executable, *words[1:]]


def test_its_health_check_tells_a_service_that_lives(health: list[str], tmp_path: Path) -> None:
    """By its status, which is all that Docker looks at; the port is that of the container."""
    (asked,) = re.findall(r"http://127\.0\.0\.1:(\d+)(/\w+)", health[-1])
    assert asked[0] == last("EXPOSE")
    assert asked[1] in ENDPOINTS

    def status(port: int) -> int:
        health[-1] = re.sub(r":\d+/", f":{port}/", health[-1])
        done: Any = subprocess.run(health, capture_output=True, timeout=60)
        return int(done.returncode)

    service = serving(tmp_path)
    try:
        assert status(service.port) == 0
    finally:
        service.close()
    assert status(service.port) != 0
