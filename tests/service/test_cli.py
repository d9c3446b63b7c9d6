"""The ``failsoft`` command itself, whatever it is told to do."""

from __future__ import annotations

import subprocess
import sys


def test_without_the_extra_it_says_what_to_install() -> None:
    """In one line: failsoft alone needs no packages for the command line."""
    code = "import sys; sys.modules['typer'] = None; from failsoft.service.cli import main"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "This needs more packages; run pip install 'failsoft[serve]'.\n"
