"""One command sets a clone up once, and says in one line what it lacks.

Python, pip and the commands are small scripts here, which write down how they are called.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CREATE, INSTALL, TEST = "-m venv --clear .venv", "-m pip install", "pytest"

# Makes a .venv whose python and pytest write down how they are called, too.
FAKE_PYTHON = f"""#!/bin/sh
[ "$1" = -c ] && exec {sys.executable} "$@"
echo "$*" >> calls
mkdir -p .venv/bin
printf '#!/bin/sh\\necho "$*" >> calls\\n[ ! -e broken ]\\n' > .venv/bin/python
printf '#!/bin/sh\\necho pytest >> calls\\n' > .venv/bin/pytest
chmod +x .venv/bin/*
"""
# Ends when it is told to, and not by Ctrl-C, which it counts.
FAKE_DEMO = f"""#!{sys.executable}
import signal
interrupts = 0
def count(*_):
    global interrupts
    interrupts += 1
    print("interrupted", flush=True)
signal.signal(signal.SIGINT, count)
print("running", flush=True)
input()
print("interrupts:", interrupts, flush=True)
"""


def script(path: Path, code: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code)
    path.chmod(0o755)
    return path


def environment() -> dict[str, str]:
    """Give ours without what an outer make has put in it."""
    left_out = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHON"}
    return {name: value for name, value in os.environ.items() if name not in left_out}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    script(tmp_path / "python", FAKE_PYTHON)
    return tmp_path


def make(clone: Path, python: str = "./python") -> subprocess.CompletedProcess[str]:
    """Run ``make test`` in ``clone``."""
    return subprocess.run(
        ["make", "test", f"PYTHON={python}"],
        cwd=clone,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )


def make_stamp_old(clone: Path) -> None:
    """Have what is installed older than the list of it."""
    os.utime(clone / ".venv" / ".ready", (0, 0))


def calls(clone: Path) -> list[str]:
    """Give what was called since the last time, the calls of pip without their options."""
    log = clone / "calls"
    lines = log.read_text().splitlines() if log.exists() else []
    log.write_text("")
    return [INSTALL if line.startswith(INSTALL) else line for line in lines]


def test_a_clone_is_set_up_once(clone: Path) -> None:
    """The first run makes the environment; the second goes straight to the tests."""
    assert make(clone).returncode == 0
    assert calls(clone) == [CREATE, INSTALL, TEST]
    assert make(clone).returncode == 0
    assert calls(clone) == [TEST]


def test_other_pins_are_installed_into_the_same_environment(clone: Path) -> None:
    """A change of what is to be installed calls pip, and makes nothing anew."""
    make(clone)
    make_stamp_old(clone)
    calls(clone)
    assert make(clone).returncode == 0
    assert calls(clone) == [INSTALL, TEST]


@pytest.mark.parametrize("set_up_before", [False, True])
def test_a_set_up_that_broke_off_is_made_anew(clone: Path, set_up_before: bool) -> None:
    """Given pip fails, the tests don't run, and the next run starts from nothing."""
    if set_up_before:
        make(clone)
        make_stamp_old(clone)
    (clone / "broken").touch()
    calls(clone)
    assert make(clone).returncode != 0
    assert TEST not in calls(clone)
    (clone / "broken").unlink()
    assert make(clone).returncode == 0
    assert calls(clone) == [CREATE, INSTALL, TEST]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("exit 127", "needs Python 3.11 or newer"),
        ('case "$2" in *version*) exit 1;; esac', "needs Python 3.11 or newer"),
        ('case "$2" in *venv*) exit 1;; esac', "python3-venv"),
    ],
    ids=["absent", "old", "without-venv"],
)
def test_what_is_missing_is_said_in_one_line(clone: Path, code: str, words: str) -> None:
    """Nothing is made, and the line says what to do."""
    script(clone / "python", f"#!/bin/sh\n{code}\n")
    done = make(clone)
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert len(said) == 1
    assert words in said[0]
    assert not (clone / ".venv").exists()


def test_ctrl_c_reaches_the_demo_once_and_make_waits_for_its_end(clone: Path) -> None:
    """In a terminal, what the demo does at Ctrl-C isn't cut off."""
    make(clone)
    script(clone / ".venv" / "bin" / "failsoft", FAKE_DEMO)
    terminal = "import pty, sys; sys.exit(pty.spawn(['make', '-s', 'demo']) != 0)"
    with subprocess.Popen(
        [sys.executable, "-c", terminal],
        cwd=clone,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as shown:
        assert shown.stdin is not None
        assert shown.stdout is not None
        bound = threading.Timer(60, shown.kill)
        bound.start()
        try:
            assert "running" in shown.stdout.readline()
            shown.stdin.write("\x03")
            shown.stdin.flush()
            assert "interrupted" in shown.stdout.readline()
            shown.stdin.write("\n")
            shown.stdin.flush()
            assert "interrupts: 1" in shown.stdout.read()
        finally:
            bound.cancel()
            shown.kill()
