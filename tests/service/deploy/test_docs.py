"""docs/deploy.md names the files that ship and the commands that there are."""

from __future__ import annotations

import re
from pathlib import Path

from typer.main import get_command

from failsoft.service.cli import app
from failsoft.service.commands.running_service import DEFAULT_URL

from .material import ENDPOINTS, FOLDER

PAGE = (Path(__file__).parents[3] / "docs" / "deploy.md").read_text()


def test_each_file_is_named() -> None:
    """In the table at the top."""
    named = set(re.findall(r"^\| `([\w.]+)` \|", PAGE, re.MULTILINE))
    assert named == {path.name for path in FOLDER.iterdir()}


def test_each_command_exists() -> None:
    """So that what is printed here works."""
    named = set(re.findall(r"failsoft (\w+)", PAGE)) - {"serve"}
    assert named >= {"tree", "top", "restart", "drain", "doctor", "check"}
    known = set(getattr(get_command(app), "commands", ()))
    assert {name for name in named if f"`failsoft {name}" in PAGE} <= known


def test_each_probe_exists() -> None:
    """And the address is the one that commands ask."""
    probes = re.findall(r"^\| (?:startup|liveness|readiness) \| `(/\w+)` \|", PAGE, re.MULTILINE)
    assert len(probes) == 3
    assert set(probes) <= ENDPOINTS
    assert DEFAULT_URL in PAGE
