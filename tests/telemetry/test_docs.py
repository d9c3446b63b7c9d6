"""What docs/telemetry.md prints works as printed, and its tables hold what there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from prometheus_client import Counter

from failsoft.telemetry import ErrorReport, HourSummary, Metrics
from failsoft.telemetry.families import Family

PAGE = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text()
ROWS = re.findall(r"^\| (`[^|]*) \| ([^|]*) \|", PAGE, re.MULTILINE)


def test_the_program_on_the_page_prints_what_it_says(tmp_path: Path) -> None:
    """Line by line; what it logs comes in between."""
    ((name, program, said),) = re.findall(
        r"```python\n# (\S+)\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL
    )
    (tmp_path / name).write_text(program)
    done = subprocess.run(
        [sys.executable, name], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    printed = iter([line.rstrip() for line in done.stdout.splitlines()])
    missing = [line for line in said.splitlines() if line not in printed]
    assert missing == [], done.stdout


def test_the_page_has_each_metric_and_its_labels() -> None:
    """TL-05 By the name that a scrape has, and no other."""
    asked = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")
    answered = ("gen_ai_response_model",)
    there: dict[str, tuple[str, ...]] = {}
    for family in vars(Metrics()).values():
        if isinstance(family, Family):
            (told,) = family.metric.describe()
            suffix = "_total" if isinstance(family.metric, Counter) else ""
            there[told.name + suffix] = family.labels
    there["failsoft_build_info"] = ("version", "python")
    on_page: dict[str, tuple[str, ...]] = {}
    for names, labels in ROWS:
        for name in re.findall(r"`((?:gen_ai|failsoft)_\w+)`", names):
            named = tuple(re.findall(r"`(\w+)`", labels))
            is_asked = labels.startswith("asked, answered")
            on_page[name] = (*asked, *answered, *named) if is_asked else named
    assert on_page == there


def test_the_page_has_each_field_of_a_report() -> None:
    """TL-01 Those of the hour's summary too."""
    fields = {*ErrorReport.__struct_fields__, *HourSummary.__struct_fields__}
    assert {name for name in fields if f"`{name}`" not in PAGE} == set()
