"""Placement: where each model of a tree would be loaded, and whether there is room. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from failsoft.gpu.memory.device_choice import choose_device
from failsoft.gpu.memory.device_memory import DeviceMemory
from failsoft.gpu.memory.devices import CPU, Device
from failsoft.gpu.memory.room import MAX_MEMORY_SHARE, has_room
from failsoft.service.config.models import LoadedModel, ModelConfig
from failsoft.service.config.sections import TreeConfig

ON_RAY: Final = "ray"


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """Tell where a worker's model goes.

    device: None of a model that isn't loaded here; ``ray`` where the cluster finds one.
    bytes: of its weights; None where they aren't known before it is fetched, and 0 of a model
        that isn't loaded here. fits: None where that isn't known.
    """

    route: str
    model: str
    kind: str
    source: str
    device: str | None
    workers: int = 1
    bytes: int | None = 0
    fits: bool | None = True


class Wanted(msgspec.Struct, frozen=True):
    """Name a model of a route, and its size on a CPU and on another device, in bytes."""

    route: str
    model: str
    config: ModelConfig
    on_cpu: int | None
    elsewhere: int | None


def wanted_by(tree: TreeConfig) -> list[tuple[str, str, ModelConfig]]:
    """Give each worker's model in the order of its start, with its route's name and its own."""
    return [
        (name, each, tree.models[each])
        for name, route in tree.routes.items()
        for each in route.models
    ]


def placed(wanted: Iterable[Wanted], machine: Device, others: Sequence[Device]) -> list[Placed]:
    """Place models one after the other, as their workers would."""
    free = {each.name: each.free for each in (machine, *others)}
    total = {each.name: each.total for each in (machine, *others)}
    return [_place(each, free, total) for each in wanted]


def _place(wanted: Wanted, free: dict[str, int], total: dict[str, int]) -> Placed:
    config = wanted.config
    place = Placed(
        route=wanted.route,
        model=wanted.model,
        kind=str(config.__struct_config__.tag),
        source=source_of(config),
        device=None,
    )
    if not isinstance(config, LoadedModel):
        return place
    if config.placement is not UNSET:
        return replace(place, device=ON_RAY, workers=config.workers_at_first, fits=None)
    device = _chosen(config, free)
    needed = wanted.on_cpu if device == CPU else wanted.elsewhere
    workers = config.workers_at_first
    fits: bool | None = None
    if device not in free:
        fits = False
    elif needed is not None:
        share = MAX_MEMORY_SHARE if config.max_memory_share is UNSET else config.max_memory_share
        fits = all(_take(device, needed, share, free, total) for _ in range(workers))
    return replace(place, device=device, workers=workers, bytes=needed, fits=fits)


def _take(
    device: str, needed: int, share: float, free: dict[str, int], total: dict[str, int]
) -> bool:
    """Take room from those that come after it; tell whether there was enough."""
    memory = DeviceMemory(0, total[device] - free[device], total[device])
    free[device] -= needed
    return has_room(memory, needed, share)


def _chosen(config: LoadedModel, free: dict[str, int]) -> str:
    if config.device is not UNSET and config.device != "auto":
        return "cuda:0" if config.device == "cuda" else config.device
    cuda = [(int(name[5:]), left) for name, left in free.items() if name.startswith("cuda:")]
    if cuda:
        return f"cuda:{choose_device(cuda)}"
    return "mps" if "mps" in free else CPU


def source_of(config: ModelConfig) -> str:
    """Give where a model is, in a few words."""
    if isinstance(config, LoadedModel):
        return config.source
    return getattr(config, "base_url", "a script")
