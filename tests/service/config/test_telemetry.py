"""The telemetry of a tree that a file describes: what is there, and what is looked at."""

from __future__ import annotations

import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from failsoft.actors import Actor, System, handles
from failsoft.messages import GenerateText, GenerationFailed, TextReply, Usage
from failsoft.service.config.health import HealthConfig, canaries_check
from failsoft.service.config.secret import Secrets
from failsoft.service.config.telemetry_tree import recorder_of, telemetry_of
from failsoft.testing import VirtualTimeLoop

from .serving_tree import PATIENCE, ServedTree
from .written import LEAST, loaded, mistakes

SECRETS = Secrets({}, Path())
OFF = """
[telemetry]
metrics = false
errors = false
health = false
alerts = false
flight = false
"""
ON = """
[degradation]
[telemetry]
traces = true
otlp = true
[[telemetry.receivers]]
kind = "webhook"
url = "http://here/"
[[telemetry.receivers]]
kind = "webhook"
name = "other"
url = "http://there/"
"""


def children(folder: Path, text: str) -> list[str]:
    """Give the ids of what listens."""
    spec = telemetry_of(loaded(folder, LEAST + text), SECRETS)
    return [each.id for each in spec.start.args[0]]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", ["metrics", "errors", "health", "alerts"]),
        (OFF, []),
        (
            ON,
            ["metrics", "otlp", "errors", "health", "traces", "webhook", "other", "alerts", "load"],
        ),
    ],
)
def test_each_part_can_be_turned_off_and_on(tmp_path: Path, text: str, ids: list[str]) -> None:
    """Receivers come before the alerts, whose last words they are to hear."""
    assert children(tmp_path, text) == ids
    tree = loaded(tmp_path, LEAST + text)
    assert (recorder_of(tree) is None) == (text == OFF)


def test_the_checks_are_bounded_as_the_file_says(tmp_path: Path) -> None:
    """And critical where it says so; that of the models always is."""
    config = HealthConfig(gpu_memory=0.5, critical=("disk",), canaries=True)
    checks = {each.name: each.critical for each in config.checks()}
    assert [name for name, is_critical in checks.items() if is_critical] == ["models", "disk ."]
    assert list(checks)[-1] == "canaries"
    wrong = '[telemetry.health]\ngpu_memory = 2\ncritical = ["disc"]'
    assert mistakes(tmp_path, LEAST + wrong) == [
        "8: telemetry.health.gpu_memory: must be a number under 1.0; it is 2",
        '9: telemetry.health.critical[0]: must be "tree" or "workers" or "gpu_memory" or '
        '"host_memory" or "disk" or "loop_lag" or "canaries"; did you mean disk?',
    ]


class Model(Actor):
    """Be an idle model, of which nothing but its answers is real."""

    def __init__(self, seen: list[str], broken: bool = False, **shows: str) -> None:
        self._seen = seen
        self._broken = broken
        self._shows = shows

    def inspect(self) -> dict[str, object]:
        return {"model_state": "ready", "running": 0, **self._shows}

    @handles(GenerateText)
    def generate(self, _request: GenerateText) -> TextReply:
        self._seen.append(self.context.path)
        if self._broken:
            raise GenerationFailed("out of order").as_answer()
        return TextReply("a", "length", Usage(1, 1))


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


@pytest.fixture
async def system(clean_loop: None, plain_logs: None) -> AsyncIterator[System]:
    async with System() as system:
        yield system


@pytest.mark.anyio
async def test_canaries_ask_the_text_models_that_are_there_by_then(system: System) -> None:
    """HL-01 Those of our own: a server elsewhere may cost money."""
    seen: list[str] = []
    check = canaries_check(critical=False)
    await system.spawn(lambda: Model(seen), "a")
    await system.spawn(lambda: Model(seen, server="http://far/v1"), "far")
    await check.run(system)
    assert seen == ["a"]
    await system.spawn(lambda: Model(seen), "b")
    await check.run(system)
    assert seen == ["a", "a", "b"]
    await system.spawn(lambda: Model(seen, broken=True), "c")
    with pytest.raises(GenerationFailed, match="out of order"):
        await check.run(system)


def test_traces_and_otlp_are_sent_besides(tmp_path: Path) -> None:
    """A collector that isn't there holds up nothing."""
    least = LEAST.replace('"scripted"', '"scripted"\nrun_in = "thread"')
    (tmp_path / "tree.toml").write_text(
        f'{least}[logging]\nformat = "json"\n[telemetry]\ntraces = true\notlp = true\n'
    )
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
    }
    with ServedTree(tmp_path, "tree.toml", environ=environ) as served:
        assert served.ask("hello")["text"] == "hello"
        with served.client() as client:
            tree = client.get("/tree").text
        assert "telemetry/traces" in tree
        assert "telemetry/otlp" in tree
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(60) == 0


def test_a_collector_that_hangs_keeps_nobody_from_ending(tmp_path: Path) -> None:
    """What it doesn't take at the end is given up, and said to be."""
    least = LEAST.replace('"scripted"', '"scripted"\nrun_in = "thread"')
    (tmp_path / "tree.toml").write_text(
        f'{least}[logging]\nformat = "json"\n[telemetry]\ntraces = true\n'
    )
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "1000000",
        }
        with ServedTree(tmp_path, "tree.toml", environ=environ) as served:
            assert served.ask("hello")["text"] == "hello"
            served.process.send_signal(signal.SIGTERM)
            served.until("traces.not_sent")
            assert served.process.wait(PATIENCE) == 0
