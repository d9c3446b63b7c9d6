"""What ships for deployments, and the tools that check it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import pytest

from failsoft.service.http.health import HEALTH
from failsoft.service.http.status import STATUS

FOLDER = Path(str(files("failsoft.service") / "deploy"))
ENDPOINTS = {endpoint.path for endpoint in (*HEALTH, *STATUS)}


def tool(name: str) -> str:
    """Give the path of a program; skip the test where there is none."""
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip(f"{name} isn't installed here")
    return found


def check(command: Sequence[str | Path]) -> str:
    """Run a tool that finds mistakes, and give what it says; fail where it finds some."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said
