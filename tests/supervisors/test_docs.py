"""What docs/supervision.md prints works as printed, and its tables hold what there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from failsoft import supervisors
from failsoft.messages import Request
from failsoft.supervisors.plan import Phase, Stage

PAGE = (Path(__file__).parents[2] / "docs" / "supervision.md").read_text()
PROGRAMS = re.findall(r"```python\n# (\S+)\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)


def test_each_program_has_its_name_and_what_it_prints() -> None:
    """So that none is left out below."""
    assert len(PROGRAMS) == PAGE.count("```python")


@pytest.mark.parametrize("name", [name for name, _, _ in PROGRAMS])
def test_the_programs_on_the_page_print_what_it_says(name: str, tmp_path: Path) -> None:
    """Line by line; what they log comes in between."""
    for other, program, _ in PROGRAMS:
        (tmp_path / other).write_text(program)
    done = subprocess.run(
        [sys.executable, name], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    (expected,) = (text.splitlines() for other, _, text in PROGRAMS if other == name)
    printed = iter([line.rstrip() for line in done.stdout.splitlines()])
    # On a busy machine a line of the log, from a thread, may go before one on the same line.
    missing = [line for line in expected if not any(out.endswith(line) for out in printed)]
    assert missing == [], done.stdout


def test_the_page_names_each_request_and_each_state() -> None:
    """What can be asked of a supervisor, and what its diagrams are of."""
    public = {name: getattr(supervisors, name) for name in supervisors.__all__}
    requests = [
        name
        for name, kind in public.items()
        if isinstance(kind, type) and issubclass(kind, Request)
        if not {"routing", "pool"} & set(kind.__module__.split("."))  # they have their own pages
    ]
    assert len(requests) == 7
    assert [name for name in requests if f"`{name}" not in PAGE and f"{name}(" not in PAGE] == []
    diagrams = "".join(re.findall(r"```mermaid\n(.*?)```", PAGE, re.DOTALL))
    states = [state.value for kind in (Phase, Stage) for state in kind]
    assert [state for state in states if state not in diagrams] == []
