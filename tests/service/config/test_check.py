"""``failsoft check``: what a file would load where; nothing is started, and no torch imported."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from failsoft.gpu.memory.devices import Device, accelerators
from failsoft.service.config.checking import Checked, as_data, check, show, size_of
from failsoft.service.config.default import default_tree
from failsoft.service.config.models import ModelConfig, RemoteModelConfig, ScriptedModel, TextModel
from failsoft.service.config.placement import Placed, Wanted, placed
from failsoft.supervisors import Affinity

from .written import LEAST

MIB = 1024 * 1024
CPU = Device("cpu", 900 * MIB, 1000 * MIB)
REMOTE = RemoteModelConfig(base_url="http://far/v1", model="m")


def text(**fields: Any) -> TextModel:
    return TextModel(source="org/m", **fields)


def where(
    *models: ModelConfig, machine: Device = CPU, others: tuple[Device, ...] = ()
) -> list[tuple[str | None, bool | None]]:
    """Place models of 400 MiB on a CPU, and of 200 elsewhere."""
    wanted = [
        Wanted("chat", str(number), model, 400 * MIB, 200 * MIB)
        for number, model in enumerate(models)
    ]
    return [(each.device, each.fits) for each in placed(wanted, machine, others)]


def test_models_are_placed_one_after_the_other() -> None:
    """Where most is free, as their workers would; each takes its room from those after it."""
    two = (Device("cuda:0", 500 * MIB, 500 * MIB), Device("cuda:1", 600 * MIB, 600 * MIB))
    models = (text(), text(), text(device="cuda"), text(), text(), text(device="cpu"))
    assert where(*models, others=two) == [
        ("cuda:1", True),
        ("cuda:0", True),
        ("cuda:0", True),
        ("cuda:1", True),
        ("cuda:1", False),
        ("cpu", True),
    ]


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        ([text(), text(), text()], [("cpu", True), ("cpu", True), ("cpu", False)]),
        ([text(standby=True)], [("cpu", True)]),
        ([text(standby=True), text(standby=True)], [("cpu", True), ("cpu", False)]),
        ([text(replicas=3)], [("cpu", False)]),
        ([text(affinity=Affinity()), text()], [("cpu", True), ("cpu", False)]),
        ([text(max_memory_share=0.3)], [("cpu", False)]),
        ([text(device="cuda:1")], [("cuda:1", False)]),
        ([REMOTE, ScriptedModel()], [(None, True), (None, True)]),
    ],
)
def test_what_has_no_room_is_told(
    models: list[ModelConfig], expected: list[tuple[str | None, bool | None]]
) -> None:
    """By the share of memory that may be in use; a spare takes as much again."""
    assert where(*models) == expected


def test_a_size_that_is_not_known_is_no_refusal() -> None:
    """Of a hub id that isn't on this machine yet."""
    (found,) = placed([Wanted("chat", "a", text(), None, None)], CPU, ())
    assert (found.bytes, found.fits) == (None, None)
    assert Checked(models=(found,)).status == 0


def test_the_default_tree_has_room() -> None:
    """Its models lie in the package: their sizes are known, in the dtype of the device."""
    model = default_tree().tree.models["tiny-text"]
    on_cpu, elsewhere = size_of(model, "cpu"), size_of(model, None)
    assert on_cpu is not None
    assert elsewhere is not None
    assert on_cpu == 2 * elsewhere  # float32, and float16 as it is stored


def test_torch_is_asked_in_a_process_of_its_own() -> None:
    """And isn't imported in this one."""
    devices = accelerators()
    assert all(each.name.startswith(("cuda:", "mps")) for each in devices)


@pytest.mark.parametrize("is_good", [True, False])
def test_the_command_is_for_programs_too(tmp_path: Path, is_good: bool) -> None:
    """SRV-09 ``--json`` tells what a person is told."""
    (tmp_path / "tree.toml").write_text(LEAST + ("" if is_good else "retires = 1"))
    program = (
        "import sys; from failsoft.service.cli import app\n"
        "try: app(['check', 'tree.toml', '--json'])\n"
        "finally: assert not {'torch', 'transformers'} & sys.modules.keys()"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], cwd=tmp_path, capture_output=True, timeout=120
    )
    told = json.loads(done.stdout)
    assert (done.returncode, told["ok"]) == ((0, True) if is_good else (2, False))
    if is_good:
        assert [each["model"] for each in told["models"]] == ["primary"]
        assert told["devices"][0]["name"] == "cpu"
    else:
        assert told["mistakes"][0]["line"] == 7


def test_a_person_is_shown_a_table() -> None:
    """At a terminal's usual width."""
    models = (
        Placed(route="chat", model="a", kind="text", source="org/m", device="cuda:0", workers=2,
               bytes=2048 * MIB, fits=False),
        Placed(route="chat", model="b", kind="remote", source="http://far/v1", device=None),
    )  # fmt: skip
    output = io.StringIO()
    checked = Checked(models=models, devices=(CPU,), devices_unknown="torch isn't there")
    show(checked, Console(file=output, width=80))
    lines = [" ".join(line.split()) for line in output.getvalue().splitlines()]
    assert lines == [
        "model kind source device weights fits",
        "chat/a text org/m cuda:0 2 x 2,048 MiB no",
        "chat/b remote http://far/v1 - - -",
        "cpu: 900 MiB free of 1,000 MiB",
        "Other devices aren't known: torch isn't there",
    ]
    assert checked.status == 1


def test_mistakes_are_shown_as_they_are(tmp_path: Path) -> None:
    """SRV-09 Brackets in them too."""
    file = tmp_path / "tree.toml"
    file.write_text(LEAST + 'aliases = ["chat"]')
    output = io.StringIO()
    show(checked := check(file), Console(file=output, width=20))
    said = f'{file}:7: routes.chat.aliases[0]: "chat" is a route already\n'
    assert output.getvalue() == said
    assert as_data(checked)["mistakes"][0]["key"] == "routes.chat.aliases[0]"
