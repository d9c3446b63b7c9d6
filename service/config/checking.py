"""Checking a file: what is wrong with it, or what it would load where. Nothing is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from failsoft.gpu import model_bytes
from failsoft.gpu.memory.devices import CPU, Device, DevicesUnknown, accelerators, machine
from failsoft.service.config.default import default_tree
from failsoft.service.config.file import load
from failsoft.service.config.mistakes import BadConfig, Mistake
from failsoft.service.config.models import LoadedModel, ModelConfig
from failsoft.service.config.placement import ON_RAY, Placed, Wanted, placed, wanted_by
from failsoft.service.config.sections import TreeConfig

_MIB = 1024 * 1024


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """Tell what became of a check.

    mistakes: where there are any, nothing else was looked at. devices: what is free of each now.
    devices_unknown: why torch couldn't be asked.
    """

    mistakes: tuple[Mistake, ...] = ()
    models: tuple[Placed, ...] = ()
    devices: tuple[Device, ...] = ()
    devices_unknown: str | None = None

    @property
    def status(self) -> int:
        """Give the exit status: 2 for mistakes, 1 where something has no room, else 0."""
        if self.mistakes:
            return 2
        return int(any(each.fits is False for each in self.models))


def check(file: Path | None) -> Checked:
    """Check a file, or the default tree. torch isn't imported here: another process is asked."""
    try:
        loaded = default_tree() if file is None else load(file)
    except BadConfig as error:
        return Checked(mistakes=error.mistakes)
    return check_room(loaded.tree)


def check_room(tree: TreeConfig) -> Checked:
    """See what a tree would load where."""
    here, others, unknown = machine(), list[Device](), None
    models = wanted_by(tree)
    if any(_may_be_elsewhere(config) for _, _, config in models):
        try:
            others = accelerators()
        except DevicesUnknown as error:
            unknown = str(error)
    wanted = [
        Wanted(route, name, config, size_of(config, CPU), size_of(config, None))
        for route, name, config in models
    ]
    return Checked(
        models=tuple(placed(wanted, here, others)),
        devices=(here, *others),
        devices_unknown=unknown,
    )


def size_of(config: ModelConfig, device: str | None) -> int | None:
    """Give the bytes of a model's weights on a device; None where that isn't known."""
    if not isinstance(config, LoadedModel) or config.placement is not UNSET:
        return 0
    dtype = "auto" if config.dtype is UNSET else config.dtype
    if dtype == "auto" and device == CPU:
        dtype = "float32"  # as the engines hold it there
    said = {name: getattr(config, name, UNSET) for name in ("gguf_file", "variant")}
    named = {name: value for name, value in said.items() if value is not UNSET}
    return model_bytes(config.source, dtype=dtype, **named)


def _may_be_elsewhere(config: ModelConfig) -> bool:
    if not isinstance(config, LoadedModel) or config.placement is not UNSET:
        return False
    return config.device != CPU


def as_data(checked: Checked) -> dict[str, Any]:
    """Give it as plain data, for programs."""
    return {"ok": checked.status == 0, **msgspec.to_builtins(checked)}


def show(checked: Checked, console: Console) -> None:
    """Show what was found to a person."""
    if checked.mistakes:
        for mistake in checked.mistakes:
            # As text: brackets in it are its own.
            console.print(Text(str(mistake)), soft_wrap=True)
        return
    heads = ("model", "kind", "source", "device", "weights", "fits")
    table = Table(*(Column(head, overflow="fold") for head in heads), box=None, pad_edge=False)
    for each in checked.models:
        table.add_row(*map(Text, _row(each)))
    console.print(table)
    for device in checked.devices:
        free = f"{_mib(device.free)} free of {_mib(device.total)}" if device.total else "shared"
        console.print(f"{device.name}: {free}", highlight=False)
    if checked.devices_unknown is not None:
        console.print(f"Other devices aren't known: {checked.devices_unknown}", markup=False)


def _row(each: Placed) -> tuple[str, ...]:
    times = f"{each.workers} x " if each.workers > 1 else ""
    weights = "not fetched" if each.bytes is None else times + _mib(each.bytes)
    fits = {True: "yes", False: "no", None: "not known"}[each.fits]
    named = (f"{each.route}/{each.model}", each.kind, each.source)
    if each.device == ON_RAY:
        return (*named, f"{times}ray", "-", "-")
    return (*named, each.device, weights, fits) if each.device else (*named, "-", "-", "-")


def _mib(size: int) -> str:
    return f"{size / _MIB:,.0f} MiB"
