"""What docs/testing.md prints works as printed: it is one small project."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = "pytester"

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"


@pytest.fixture
def project(pytester: pytest.Pytester) -> Path:
    """Give a folder with each block of the page, under the name that it begins with."""
    blocks = re.findall(r"```(?:python|toml)\n# (\S+)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == PAGE.read_text().count("```") // 2, "each block names its file"
    for name, block in blocks:
        (pytester.path / name).write_text(block)
    return pytester.path


@pytest.mark.parametrize(
    ("mode", "more", "passed"),
    [("prepend", "", 4), ("importlib", 'failsoft_loops = ["asyncio", "uvloop"]\n', 7)],
)
def test_the_tests_on_the_page_pass(
    pytester: pytest.Pytester,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    more: str,
    passed: int,
) -> None:
    """In a process of their own, with the settings of the page; three of them on both loops."""
    with (project / "pyproject.toml").open("a") as settings:
        settings.write(more)
    monkeypatch.setenv("PYTHONPATH", str(project), prepend=os.pathsep)
    done = pytester.runpytest_subprocess(f"--import-mode={mode}", "-Werror")
    done.assert_outcomes(passed=passed)


def test_the_program_on_the_page_runs(project: Path) -> None:
    """Without pytest."""
    done = subprocess.run(
        [sys.executable, "plain.py"], cwd=project, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_the_page_names_every_word_of_a_script() -> None:
    """What can be said to a scripted engine is found there."""
    from typing import get_args

    from failsoft.gpu.script import Act

    page = PAGE.read_text()
    assert [act.__name__ for act in get_args(Act) if f"`{act.__name__}`" not in page] == []
