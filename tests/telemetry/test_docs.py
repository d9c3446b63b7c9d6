"""What docs/telemetry.md prints works as printed, and its tables hold what there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from failsoft.telemetry import ErrorReport, HealthReport, HourSummary

PAGE = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text()


PROGRAMS = re.findall(r"```python\n# (\S+)\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("name", "program", "said"), PROGRAMS, ids=[p[0] for p in PROGRAMS])
def test_a_program_on_the_page_prints_what_it_says(
    name: str, program: str, said: str, tmp_path: Path
) -> None:
    """Line by line; what it logs comes in between."""
    (tmp_path / name).write_text(program)
    done = subprocess.run(
        [sys.executable, name], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    printed = iter([line.rstrip() for line in done.stdout.splitlines()])
    missing = [line for line in said.splitlines() if line not in printed]
    assert missing == [], done.stdout


def test_the_page_has_each_field_of_a_report() -> None:
    """TL-01 TL-04 Those of the hour's summary too, and of health."""
    fields = {
        *HealthReport.__struct_fields__,
        *ErrorReport.__struct_fields__,
        *HourSummary.__struct_fields__,
    }
    assert {name for name in fields if f"`{name}`" not in PAGE} == set()
