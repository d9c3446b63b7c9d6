"""The dashboard and the alert rules that ship: valid, and of metrics that there are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest

from failsoft.telemetry import Metrics
from failsoft.telemetry.families import Family

FOLDER = files("failsoft.telemetry") / "dashboards"
RULES = FOLDER / "rules.yaml"
DASHBOARD = FOLDER / "failsoft.json"
PROMTOOL = shutil.which("promtool")


def sample_names() -> dict[str, set[str]]:
    """Give each name that a sample of ours may have, with its labels."""
    names = {"failsoft_build_info": {"version", "python"}}
    for family in vars(Metrics()).values():
        if isinstance(family, Family):
            (told,) = family.metric.describe()
            endings = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
            for ending in endings.get(told.type, [""]):
                names[told.name + ending] = {*family.labels, *(["le"] * (ending == "_bucket"))}
    return names


def expressions() -> Iterator[str]:
    dashboard = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (annotation["expr"] for annotation in dashboard["annotations"]["list"])
    yield from (variable["query"]["query"] for variable in queries(dashboard))
    yield from re.findall(r"expr: (?:\|\n)?((?:.|\n)*?)\n +(?:for|labels):", RULES.read_text())


def queries(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable


@pytest.mark.parametrize("expression", list(expressions()))
def test_each_metric_and_label_that_is_named_exists(expression: str) -> None:
    """TL-05 A dashboard of what isn't there shows nothing, and says nothing of it."""
    known = sample_names()
    found = re.findall(
        r"\b((?:failsoft|gen_ai|http)_\w+)\b(?=[{\[ )<>=,]|$)(?:\{([^}]*)\})?", expression
    )
    named = [(name, matchers) for name, matchers in found if name not in labels_of(known)]
    assert named, expression
    allowed = {"instance", "le"}
    for name, matchers in named:
        assert name in known, expression
        allowed |= known[name]
        matched = set(re.findall(r"(\w+)\s*[=!]", matchers))
        assert matched <= known[name] | {"instance"}, expression
    for grouped in re.findall(r"by \(([^)]*)\)", expression):
        assert {label.strip() for label in grouped.split(",")} <= allowed, expression


def labels_of(known: dict[str, set[str]]) -> set[str]:
    return {label for labels in known.values() for label in labels}


def test_the_dashboard_is_as_grafana_wants_it() -> None:
    """Panels have ids of their own, don't overlap, and fill rows of 24."""
    dashboard = json.loads(DASHBOARD.read_text())
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells


@pytest.mark.skipif(PROMTOOL is None, reason="promtool isn't installed (Debian: prometheus)")
def test_promtool_takes_the_rules() -> None:
    """TL-05 Prometheus's own check of their syntax."""
    done = subprocess.run(
        [str(PROMTOOL), "check", "rules", str(RULES)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
