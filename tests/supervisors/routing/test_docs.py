"""What docs/resilience.md prints works as printed, and its defaults are those of the code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from failsoft import supervisors
from failsoft.messages import Request, events
from failsoft.supervisors import Admission, Breaker, Budget, Degradation, Poison, RoutePolicy
from failsoft.supervisors.routing import operate
from failsoft.supervisors.routing.circuit import CircuitState

PAGE = (Path(__file__).parents[3] / "docs" / "resilience.md").read_text()
PROGRAMS = re.findall(r"```python\n# (\S+)\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)


def test_each_program_has_its_name_and_what_it_prints() -> None:
    """So that none is left out below."""
    assert len(PROGRAMS) == PAGE.count("```python")


@pytest.mark.parametrize("name", [name for name, _, _ in PROGRAMS])
def test_the_programs_on_the_page_print_what_it_says(name: str, tmp_path: Path) -> None:
    """Word for word; what they log goes elsewhere."""
    for other, program, _ in PROGRAMS:
        (tmp_path / other).write_text(program)
    quiet = "import logging, structlog; structlog.configure("
    quiet += "wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))"
    command = f"{quiet}; import runpy; runpy.run_path({name!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    (expected,) = (text for other, _, text in PROGRAMS if other == name)
    assert done.stdout == expected


def test_the_page_names_each_request_policy_event_and_state() -> None:
    """What an operator can ask, what a router can be told, what is told of it."""
    requests = [
        name
        for name, kind in vars(operate).items()
        if isinstance(kind, type) and issubclass(kind, Request) and kind.__module__ in str(operate)
    ]
    told = ["BreakerChanged", "FellBack", "RequestRetried", "RequestHedged", "RequestShed"]
    told += ["RequestQuarantined", "DegradationChanged", "RequestFinished"]
    assert [name for name in told if not hasattr(events, name)] == []
    names = [*requests, *told, *RoutePolicy.__struct_fields__]
    assert [name for name in names if not re.search(rf"`{name}\b", PAGE)] == []
    assert [state.value for state in CircuitState if state.value not in PAGE] == []
    assert [name for name in requests if name not in supervisors.__all__] == []


def test_the_page_gives_the_defaults() -> None:
    """Those figures that the prose names."""
    breaker, budget, admission, poison = Breaker(), Budget(), Admission(), Poison()
    assert (breaker.consecutive_failures, breaker.open_seconds, breaker.probes) == (5, 5, 1)
    assert (breaker.failure_rate, breaker.minimum_calls, breaker.longest_open) == (0.5, 10, 60)
    assert (budget.ratio, budget.most, budget.per_second) == (0.1, 10, 0.1)
    assert (admission.queue_limit, admission.ageing, admission.margin) == (256, 10, 2)
    limit = admission.limit
    assert (limit.initial, limit.least, limit.most, limit.tolerance) == (8, 1, 256, 1.5)
    assert (poison.workers_lost, poison.seconds, poison.most) == (2, 600, 1000)
    degradation = Degradation()
    assert (degradation.reduced_above, degradation.minimal_above) == (0.7, 0.9)
    assert (degradation.hysteresis, degradation.quality) == (0.05, (1.0, 0.7, 0.4))
