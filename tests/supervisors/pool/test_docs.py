"""What docs/scale.md prints works as printed, and it names what there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from failsoft.messages import events, pool_events
from failsoft.supervisors.pool import Autoscale
from failsoft.supervisors.pool import __all__ as public

PAGE = (Path(__file__).parents[3] / "docs" / "scale.md").read_text()
PROGRAMS = re.findall(r"```python\n# (\S+)\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)


def test_each_program_has_its_name_and_what_it_prints() -> None:
    """So that none is left out below."""
    assert len(PROGRAMS) == PAGE.count("```python")


@pytest.mark.parametrize("name", [name for name, _, _ in PROGRAMS])
def test_the_programs_on_the_page_print_what_it_says(name: str, tmp_path: Path) -> None:
    """Word for word; what they log goes elsewhere."""
    program, expected = next((text, said) for other, text, said in PROGRAMS if other == name)
    (tmp_path / name).write_text(program)
    quiet = "import logging, structlog; structlog.configure("
    quiet += "wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))"
    command = f"{quiet}; import runpy; runpy.run_path({name!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == expected


def test_the_page_names_each_order_and_event() -> None:
    told = [name for name, kind in vars(pool_events).items() if isinstance(kind, type)]
    names = [*(name for name in told if name != "Event"), "RequestResumed", *public]
    unsaid = {"Pool", "Recipe", "PoolBusy", "ReplicaFailed"}
    assert hasattr(events, "RequestResumed")
    assert [n for n in names if n not in unsaid and not re.search(rf"`[^`]*\b{n}\b", PAGE)] == []


def test_the_page_gives_the_defaults() -> None:
    """Those figures that the prose names."""
    usual = Autoscale()
    assert (usual.longest_wait, usual.window, usual.cooldown) == (0.5, 10, 30)
    assert (usual.idle, usual.busy, usual.denied) == (120, 0.6, 300)
