"""``failsoft tree``: what is drawn, of a real service and of what can be out of order."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests.service.http.test_drain import held

from failsoft.service.page.rows import Row
from failsoft.service.tree_view import tree_view

from .conftest import Command, ServedProcess


def row(path: str = "root", **facts: Any) -> Row:
    usual = {"depth": path.count("/"), "role": "actor", "state": "running"}
    return Row(path=path, **{**usual, **facts})


def drawn(*rows: Row, width: int = 80, now: float = 10.0) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(tree_view(rows, now))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_a_real_tree_on_80_columns(command: Command, service: ServedProcess) -> None:
    """A line an actor, with its state."""
    lines = command("tree", "--url", service.url).stdout.splitlines()
    assert len(lines) == 15
    assert max(map(len, lines)) <= 80
    rows = [line.replace("│", " ").split() for line in lines]
    assert rows[0] == ["root", "running"]
    assert rows[5] == ["├──", "text", "running", "answers", "with", "primary"]
    assert rows[6] == ["└──", "primary", "ready"]


def test_a_worker_that_was_killed(command: Command, service: ServedProcess) -> None:
    """Its model's restart is counted where it stands."""
    with service.client() as client:
        (root,) = client.get("/tree").json()
        models = {child["path"]: child for top in root["children"] for child in top["children"]}
        os.kill(models["root/text/primary"]["shows"]["pid"], signal.SIGKILL)
        # One that goes to the dying worker is lost; the next one waits until there is another.
        answers = (client.post("/generate", json={"prompt": "still there?"}) for _ in range(5))
        assert any(answer.status_code == 200 for answer in answers)
    told = command("tree", "--url", service.url).stdout
    (line,) = [line for line in told.splitlines() if "── primary " in line]
    assert "restarts 1" in line


def test_what_is_in_hand(command: Command, tmp_path: Path) -> None:
    """Of a router, and of the model that has it."""
    with held(tmp_path) as (service, _, gate):
        lines = command("tree", "--url", service.url).stdout.splitlines()
        top = command("top", "--once", "--interval", "0.1", "--url", service.url).stdout
        gate.open()
    (model,) = [line for line in lines if "── primary " in line]
    assert "busy  in hand 1" in model
    assert "in hand 1" in lines[lines.index(model) - 1]
    (row,) = [line.split() for line in top.splitlines() if line.startswith("root/text/primary")]
    assert row[1:5] == ["busy", "none", "1", "0"]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, "running"),
        ({"state": "down", "until": 12.5}, "down  starts in 2.5 s"),
        ({"state": "down", "until": 9.0}, "down"),
        ({"state": "loading", "loaded": 0.75}, "loading  75% loaded"),
        ({"running": 2, "waiting": 3, "restarts": 1}, "running  in hand 2  waiting 3  restarts 1"),
        ({"role": "router"}, "running  answers with nobody"),
        (
            {"role": "router", "answers_with": "b", "quarantined": 2},
            "running  answers with b  quarantined 2",
        ),
        ({"circuit": "closed"}, "running"),
        ({"circuit": "half_open"}, "running  circuit half_open"),
        (
            {"circuit": "open", "retry_at": 51.6},
            "running  circuit open, tried again in 42 s",
        ),
        ({"circuit": "open", "forced": "open"}, "running  circuit open, held by an operator"),
        ({"trouble": "it can't be reached"}, "running  it can't be reached"),
        ({"spare": "loading"}, "running  spare loading"),
        ({"tokens_per_second": 1234.56}, "running  1234.6 tokens/s"),
    ],
)
def test_what_is_said_of_an_actor(facts: dict[str, Any], said: str) -> None:
    """What is as it should be is not said."""
    assert drawn(row(**facts)) == [f"root          {said}"]


def test_names_stand_in_line_however_deep_they_are() -> None:
    """The longest one sets the width; a line that is too long goes on below."""
    rows = [
        row("a"),
        row("a/b"),
        row("a/b/a-model-of-a-long-name", restarts=1),
        row("a/c"),
        row("d"),
    ]
    assert drawn(*rows) == [
        "a                               running",
        "├── b                           running",
        "│   └── a-model-of-a-long-name  running  restarts 1",
        "└── c                           running",
        "d                               running",
    ]
    assert max(map(len, drawn(*rows, width=40))) <= 40


def test_names_are_no_markup() -> None:
    """An actor may be called anything."""
    assert drawn(row("[bold]x"))[0].startswith("[bold]x")
