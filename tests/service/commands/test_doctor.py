"""``failsoft doctor``: of a real machine, a file, and a real service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import KEY, Command, ServedProcess

FILE = """
[models.a]
kind = "scripted"
[models.b]
kind = "scripted"
[routes.chat]
models = ["a", "b"]
[routes.alone]
models = ["b"]
"""


def by_check(output: str) -> dict[str, dict[str, Any]]:
    findings: list[dict[str, Any]] = json.loads(output)["findings"]
    return {finding["check"]: finding for finding in findings}


def test_a_file_and_the_machine(command: Command, tmp_path: Path) -> None:
    """Each finding is a line, and what to do is below it; warnings are no failure."""
    file = tmp_path / "tree.toml"
    file.write_text(FILE)
    result = command("doctor", str(file))
    assert result.exit_code == 0, result.output
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert lines[0].startswith("warn  fallbacks: one model alone in alone")
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("ok    python: Python 3.") for line in lines)
    assert any(line.startswith("ok    workers: one was made") for line in lines)
    assert lines[-1].startswith("0 fail, ")


def test_a_file_with_mistakes(command: Command, tmp_path: Path) -> None:
    """SRV-09 Each is a failure, and nothing else is looked at."""
    file = tmp_path / "tree.toml"
    file.write_text(FILE.replace("scripted", "scripting").replace('["b"]', '["nobody"]'))
    result = command("doctor", str(file), "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["ok"] is False
    assert [finding["level"] for finding in told["findings"]] == ["fail"] * 3


def test_a_running_service(command: Command, service: ServedProcess) -> None:
    """What it has, and what it lacks."""
    result = command("doctor", "--url", service.url, "--json")
    found = by_check(result.stdout)
    assert (result.exit_code, json.loads(result.stdout)["ok"]) == (0, True)
    levels = {name: finding["level"] for name, finding in found.items()}
    wanted = {
        "live": "ok",
        "ready": "ok",
        "health checks": "warn",
        "metrics": "ok",
        "errors": "ok",
        "model root/text/primary": "ok",
        "route root/text": "warn",
    }
    assert {name: levels[name] for name in wanted} == wanted


def test_a_service_that_lacks_a_model(command: Command, service: ServedProcess) -> None:
    """Of a route that has nobody to ask the doctor says that it fails."""
    with service.client(headers={"Authorization": "Bearer an-operator-of-the-tests"}) as client:
        hold = {"path": "root/crowd/all", "state": "open"}
        assert client.post("/operator/breaker", json=hold).status_code == 200
        result = command("doctor", "--url", service.url, "--json")
        free = {"path": "root/crowd/all", "state": "free"}
        assert client.post("/operator/breaker", json=free).status_code == 200
    found = by_check(result.stdout)
    assert (result.exit_code, found["route root/crowd"]["level"]) == (1, "fail")
    assert found["model root/crowd/all"]["found"] == "an operator holds its circuit open"


def test_a_service_that_wants_a_key(command: Command, locked: ServedProcess) -> None:
    """SRV-10 And has it."""
    refused = command("doctor", "--url", locked.url)
    assert (refused.exit_code, "FAILSOFT_KEY" in refused.stderr) == (1, True)
    assert command("doctor", "--url", locked.url, key=KEY).exit_code in (0, 1)


def test_no_service(command: Command) -> None:
    """Is told as by the other commands."""
    assert command("doctor", "--url", "http://127.0.0.1:1").exit_code == 3


def test_a_file_and_a_service(command: Command) -> None:
    """Are two deployments."""
    result = command("doctor", "tree.toml", "--url", "http://127.0.0.1:1")
    assert (result.exit_code, "not both" in result.output) == (2, True)


@pytest.mark.parametrize("arguments", [("nowhere.toml",)])
def test_a_file_that_is_not_there(command: Command, arguments: tuple[str, ...]) -> None:
    """SRV-09 Is a mistake like others."""
    result = command("doctor", *arguments)
    assert (result.exit_code, "nowhere.toml" in result.stdout) == (1, True)
