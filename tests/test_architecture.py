"""The shape of the project: its folders, their links, and the size of its files."""

from __future__ import annotations

import importlib
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINKS = ROOT / "src" / "failsoft"
FOLDERS = ("actors", "gpu", "messages", "service", "supervisors", "telemetry", "testing")
MOST_LINES = 320  # "about 300": a little room, so that nobody cuts a comment to fit


def rank(name: str) -> tuple[bool, bool, str]:
    """Give the sort key of a public name: constants, then classes, then functions."""
    return (not name.isupper(), not name[0].isupper(), name)


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_folder_is_linked_into_the_package(folder: str) -> None:
    """The link is relative, so it holds wherever the project lies."""
    assert (LINKS / folder).readlink() == Path("../..") / folder
    assert (LINKS / folder / "__init__.py").samefile(ROOT / folder / "__init__.py")


def test_the_package_holds_links_alone() -> None:
    """A folder that is new at the root must be linked, and what is linked must be known here."""
    linked = {path.name for path in LINKS.iterdir() if path.is_symlink()}
    real = {path.name for path in LINKS.iterdir() if not path.is_symlink()} - {"__pycache__"}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    packages -= {"bench", "tests", "training"}
    assert linked == packages == set(FOLDERS)
    assert real == {"__init__.py", "py.typed"}


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")
def test_the_links_are_committed() -> None:
    """A clone has them as links, not as copies."""
    listed = subprocess.run(
        ["git", "ls-files", "--stage", "src/failsoft"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    links = {line.rpartition("/")[2] for line in listed.splitlines() if line.startswith("120000")}
    assert links == set(FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_public_names_are_sorted_and_there(folder: str) -> None:
    """Each name of __all__ can be imported, is public, and stands where one looks for it."""
    package = importlib.import_module(f"failsoft.{folder}")
    names = list(package.__all__)
    assert names == sorted(set(names), key=rank)
    assert [name for name in names if name.startswith("_") or not hasattr(package, name)] == []


def test_no_module_is_too_long() -> None:
    """A file has one idea, which has room in about 300 lines."""
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for folder in (*FOLDERS, "tests")
        for path in (ROOT / folder).rglob("*.py")
    }
    assert len(lengths) > len(FOLDERS)
    # A file of tests is a list of behaviours, read one at a time.
    most = {name: 500 if name.startswith("tests/") else MOST_LINES for name in lengths}
    assert {name: lines for name, lines in lengths.items() if lines > most[name]} == {}
