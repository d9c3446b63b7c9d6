"""A wheel and an sdist that work elsewhere: built from a copy, tried in an empty environment."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tarfile
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
FOLDERS = ("actors", "gpu", "messages", "service", "supervisors", "telemetry", "testing")
# Those that need no extra; telemetry and service need the extra serve.
CORE = (
    "failsoft.actors",
    "failsoft.gpu",
    "failsoft.messages",
    "failsoft.supervisors",
    "failsoft.testing",
)
FILES = ("pyproject.toml", "README.md", "LICENSE")
# Without what would put packages into an environment that has none.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

TAKE_ALL = """
import importlib, importlib.util, sys
import failsoft
assert importlib.util.find_spec("torch") is None
for package in (failsoft, *map(importlib.import_module, sys.argv[1:])):
    for name in package.__all__:
        getattr(package, name)
print(failsoft.__file__)
"""


def run(*command: str | Path, cwd: Path) -> str:
    """Run ``command`` to its end and give its output; fail with what it says."""
    done = subprocess.run(
        command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of the project, with its links: a build leaves files beside its sources."""
    sources = tmp_path_factory.mktemp("sources")
    skipped = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for folder in (*FOLDERS, "src"):
        shutil.copytree(ROOT / folder, sources / folder, symlinks=True, ignore=skipped)
    for name in FILES:
        shutil.copy(ROOT / name, sources)
    return sources


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, sources: Path) -> Path:
    """Give a folder with the sdist, the wheel made from it, and in ``tree/`` one from the tree."""
    out = tmp_path_factory.mktemp("dist")
    # No isolation: it would fetch setuptools.
    build = (sys.executable, "-m", "build", "--no-isolation", str(sources), "--outdir")
    run(*build, out, cwd=out)
    run(*build, out / "tree", "--wheel", cwd=out)
    return out


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    """Give the wheel made from the sdist."""
    (made,) = built.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """Give an environment with the wheel and the core's dependencies, and nothing else."""
    folder = tmp_path_factory.mktemp("empty") / "environment"
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for name in core_requirements():
        copy_distribution(name, packages)
    python = folder / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet")
    run(*pip, "--no-deps", "--no-index", wheel, cwd=folder)
    return folder


def core_requirements() -> set[str]:
    """Give the names of all that failsoft needs without extras, the indirect ones too."""
    found: set[str] = set()
    left = ["failsoft"]
    while left:
        for line in distribution(left.pop()).requires or ():
            needed = Requirement(line)
            name = canonicalize_name(needed.name)
            applies = needed.marker is None or needed.marker.evaluate({"extra": ""})
            if applies and name not in found:
                found.add(name)
                left.append(name)
    return found


def copy_distribution(name: str, packages: Path) -> None:
    """Copy an installed distribution's files, but its scripts, into ``packages``."""
    for path in distribution(name).files or ():
        if ".." not in path.parts and "__pycache__" not in path.parts:
            target = packages / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path.locate(), target)


def own_files(sources: Path) -> dict[str, bytes]:
    """Give the files that must be in the package, by their path in it."""
    paths = [path for folder in FOLDERS for path in (sources / folder).rglob("*")]
    files = {
        f"failsoft/{path.relative_to(sources)}": path.read_bytes()
        for path in paths
        if path.is_file()
    }
    for name in ("__init__.py", "py.typed"):
        files[f"failsoft/{name}"] = (sources / "src" / "failsoft" / name).read_bytes()
    return files


def test_the_wheel_holds_every_file_and_no_link(sources: Path, wheel: Path) -> None:
    """All of the folders' files are there as files, under failsoft alone."""
    with zipfile.ZipFile(wheel) as archive:
        held = {info.filename: archive.read(info) for info in archive.infolist()}
        modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
    assert [name for name, mode in modes.items() if stat.S_ISLNK(mode)] == []
    metadata = {name for name in held if ".dist-info/" in name}
    assert {name: held[name] for name in held.keys() - metadata} == own_files(sources)
    (license_name,) = [name for name in metadata if name.endswith("/licenses/LICENSE")]
    assert b"Apache License" in held[license_name]


def test_the_sdist_holds_every_file_and_no_link(sources: Path, built: Path) -> None:
    """The same holds for the sdist, whose sources lie under src."""
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
        held = {m.name.partition("/")[2]: archive.extractfile(m) for m in members if m.isfile()}
        content = {name: file.read() for name, file in held.items() if file is not None}
    assert [member.name for member in members if member.issym() or member.islnk()] == []
    expected = {f"src/{name}": data for name, data in own_files(sources).items()}
    expected |= {name: (ROOT / name).read_bytes() for name in FILES}
    assert expected.items() <= content.items()


def test_the_tree_and_the_sdist_give_the_same_wheel(built: Path, wheel: Path) -> None:
    """Nothing that the wheel needs is left out of the sdist."""

    def checksums(path: Path) -> dict[str, int]:
        with zipfile.ZipFile(path) as archive:
            return {info.filename: info.CRC for info in archive.infolist()}

    assert checksums(built / "tree" / wheel.name) == checksums(wheel)


def test_the_core_works_in_an_empty_environment(environment: Path, tmp_path: Path) -> None:
    """With the core's dependencies alone, and no torch, its public names can be imported."""
    python = environment / "bin" / "python"
    said = run(python, "-I", "-c", TAKE_ALL, *CORE, cwd=tmp_path)
    assert Path(said.strip()).is_relative_to(environment)


def test_the_command_is_installed(environment: Path, tmp_path: Path) -> None:
    """The script ``failsoft`` is there, and what it starts is in the package."""
    assert (environment / "bin" / "failsoft").is_file()
    find = (
        "import importlib.metadata as m, importlib.util as u;"
        "(entry,) = m.distribution('failsoft').entry_points.select(group='console_scripts');"
        "print(entry.name, u.find_spec(entry.module) is not None)"
    )
    said = run(environment / "bin" / "python", "-I", "-c", find, cwd=tmp_path)
    assert said.split() == ["failsoft", "True"]
