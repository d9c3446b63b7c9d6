"""What docs/actors.md prints works as printed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import failsoft.actors
from failsoft.actors import ActorError

pytest_plugins = "pytester"

PAGE = Path(__file__).parents[2] / "docs" / "actors.md"


@pytest.fixture
def project(pytester: pytest.Pytester) -> Path:
    """Give a folder with each block of the page, under the name that it begins with."""
    blocks = re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == PAGE.read_text().count("```") // 2, "each block names its file"
    for name, block in blocks:
        (pytester.path / name).write_text(block)
    return pytester.path


@pytest.mark.parametrize(
    ("program", "printed"),
    [
        ("main.py", ["5"]),
        (
            "features.py",
            ["come in, Ada", "2 messages", "mirror → mirror", "hall has stopped"],
        ),
    ],
)
def test_a_program_on_the_page_runs(project: Path, program: str, printed: list[str]) -> None:
    """In a process of its own; it prints what it should."""
    done = subprocess.run(
        [sys.executable, "-Werror", "-X", "utf8", program],
        cwd=project,
        capture_output=True,
        text=True,
        encoding="utf8",
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if line in printed] == printed


def test_the_test_on_the_page_passes(pytester: pytest.Pytester, project: Path) -> None:
    """With the plugin, and no settings."""
    done = pytester.runpytest_subprocess("-Werror", "-p", "no:cacheprovider")
    done.assert_outcomes(passed=1)


def test_the_page_names_every_mistake() -> None:
    """Each error of the runtime that says what a user did wrong is found there."""
    from failsoft.actors import misuse

    names = [
        name
        for name, value in vars(misuse).items()
        if isinstance(value, type) and issubclass(value, ActorError) and value is not ActorError
    ]
    assert len(names) >= 6
    page = PAGE.read_text()
    assert [name for name in names if f"`{name}`" not in page] == []
    assert [name for name in names if not hasattr(failsoft.actors, name)] == []
