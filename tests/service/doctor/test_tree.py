"""The doctor's checks of a tree's file: each sees what the file lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from failsoft.service.config.file import load
from failsoft.service.config.placement import Placed
from failsoft.service.config.sections import TreeConfig
from failsoft.service.doctor import tree
from failsoft.service.doctor.finding import Finding
from failsoft.telemetry.checks.default import default_checks

from .test_machine import GIB, told

MODELS = """
[models.a]
kind = "scripted"
[models.b]
kind = "scripted"
"""
OTHER = '[routes.other]\nmodels = ["o"]\n'
ROUTE = '[routes.chat]\nmodels = ["a", "b"]\n'


@pytest.fixture
def config(request: pytest.FixtureRequest, tmp_path: Path) -> TreeConfig:
    """Give the tree of a file with the test's ``text``."""
    file = tmp_path / "tree.toml"
    (tmp_path / "keys.json").write_text("[]")
    file.write_text(MODELS + str(request.param))
    return load(file, {}).tree


def placed(**facts: object) -> Placed:
    usual = {"route": "chat", "model": "big", "kind": "text", "source": "some/big"}
    return Placed(**{**usual, "device": "cuda:0", "bytes": 3 * GIB, **facts})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("config", "level"),
    [(ROUTE, "ok"), (ROUTE + '[routes.alone]\nmodels = ["b"]\n', "warn")],
    indirect=["config"],
)
def test_fallbacks(config: TreeConfig, level: str) -> None:
    """A route with one model has nobody to ask while that is down."""
    assert told(tree.fallbacks(config))[0] == level


@pytest.mark.parametrize(
    ("config", "level"),
    [
        (ROUTE, "ok"),
        (ROUTE + "breaker = false\n", "warn"),
        (ROUTE + "breaker = false\n[models.a.breaker]\n[models.b.breaker]\n", "ok"),
    ],
    indirect=["config"],
)
def test_breakers(config: TreeConfig, level: str) -> None:
    """A model may have a circuit of its own where its route has none."""
    assert told(tree.breakers(config))[0] == level


@pytest.mark.parametrize(
    ("config", "level"),
    [(ROUTE, "ok"), (ROUTE + "[telemetry]\nhealth = false\n", "warn")],
    indirect=["config"],
)
def test_health_checks(config: TreeConfig, level: str) -> None:
    """Those that are critical are named, and the others."""
    finding = tree.health_checks(config, default_checks())
    assert told(finding)[0] == level
    assert level == "warn" or finding.found.startswith("critical: models; others: tree, workers")


@pytest.mark.parametrize("config", [ROUTE], indirect=True)
def test_no_check_is_critical(config: TreeConfig) -> None:
    """Then the service is never told to be so, whatever happens."""
    checks = [check for check in default_checks() if not check.critical]
    assert told(tree.health_checks(config, checks))[0] == "warn"


@pytest.mark.parametrize(
    ("config", "level"),
    [(ROUTE, "ok"), (ROUTE + "[telemetry]\nmetrics = false\n", "warn")],
    indirect=["config"],
)
def test_metrics(config: TreeConfig, level: str) -> None:
    """Somebody should count."""
    assert told(tree.metrics(config))[0] == level


RECEIVER = '[[telemetry.receivers]]\nkind = "webhook"\nurl = "http://localhost:9/"\n'


@pytest.mark.parametrize(
    ("config", "level"),
    [
        (ROUTE + RECEIVER, "ok"),
        (ROUTE, "warn"),
        (ROUTE + "[telemetry]\nalerts = false\n", "warn"),
    ],
    indirect=["config"],
)
def test_alerts(config: TreeConfig, level: str) -> None:
    """Somebody should be told."""
    assert told(tree.alerts(config))[0] == level


@pytest.mark.parametrize(
    ("config", "levels"),
    [
        (ROUTE, ["ok", "warn"]),
        (ROUTE + '[service]\nhost = "0.0.0.0"\n', ["warn", "warn"]),
        (ROUTE + '[service]\nhost = "0.0.0.0"\nkeys_file = "keys.json"\n', ["ok", "warn"]),
        (ROUTE + f'[service]\noperator_hash = "{"0" * 64}"\n', ["ok", "ok"]),
    ],
    indirect=["config"],
)
def test_access(config: TreeConfig, levels: list[str]) -> None:
    """SRV-10 Who may ask, and who may steer."""
    assert [told(finding)[0] for finding in tree.access(config)] == levels


def one(findings: list[Finding]) -> tuple[str, str]:
    (finding,) = findings
    return told(finding)


@pytest.mark.parametrize(
    ("fits", "workers", "expected"),
    [
        (True, 1, ("ok", "3.0 GiB on cuda:0")),
        (False, 2, ("fail", "2 times 3.0 GiB on cuda:0: there is no room for it")),
        (None, 1, ("warn", "3.0 GiB on cuda:0: what is free isn't known")),
    ],
)
def test_room(fits: bool | None, workers: int, expected: tuple[str, str]) -> None:
    """A model that has no room is refused when it is loaded: better to know before."""
    assert one([*tree.room([placed(fits=fits, workers=workers)])]) == expected


def test_room_of_what_isnt_loaded_or_known() -> None:
    """Is nothing to be told of here."""
    assert [*tree.room([placed(bytes=None, fits=None), placed(device=None)])] == []


@pytest.mark.parametrize(
    ("is_offline", "trouble", "level", "said"),
    [
        (False, "", "warn", "its first start fetches it"),
        (False, "it is gone", "fail", "can't be fetched: it is gone"),
        (True, "", "fail", "HF_HUB_OFFLINE is set"),
    ],
)
def test_sources(is_offline: bool, trouble: str, level: str, said: str) -> None:
    """A model that is not here is fetched, if it can be."""
    asked: list[str] = []

    def trouble_with(source: str) -> str:
        asked.append(source)
        return trouble

    models = [placed(), placed(bytes=None, source="some/new")]
    findings = [*tree.sources(models, is_offline=is_offline, trouble_with=trouble_with)]
    found = one(findings)
    assert (found[0], said in found[1]) == (level, True)
    assert asked == ([] if is_offline else ["some/new"])


@pytest.mark.parametrize(
    ("config", "extras"),
    [
        (ROUTE, {"serve"}),
        ('[models.o]\nkind = "text"\nsource = "x/y"\n' + OTHER + ROUTE, {"serve", "torch"}),
        (
            '[models.o]\nkind = "image"\nsource = "x/y"\n' + OTHER + ROUTE,
            {"serve", "torch", "image"},
        ),
        (
            '[models.o]\nkind = "remote"\nbase_url = "http://x/v1"\nmodel = "m"\n' + OTHER + ROUTE,
            {"serve", "remote"},
        ),
        (ROUTE + RECEIVER, {"serve", "alerts"}),
        (ROUTE + "[telemetry]\ntraces = true\n", {"serve", "otel"}),
    ],
    indirect=["config"],
)
def test_extras(config: TreeConfig, extras: set[str]) -> None:
    """Those that what the file names needs, and no others."""
    assert tree.extras_used(config) == extras
