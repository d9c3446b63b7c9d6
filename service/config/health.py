"""Health: when a service that a file describes isn't well."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from failsoft.actors import System
from failsoft.messages import GenerateText
from failsoft.service.config.models import Positive
from failsoft.service.config.reader import PathText
from failsoft.telemetry import HealthCheck
from failsoft.telemetry.checks import (
    disk_check,
    gpu_memory_check,
    host_memory_check,
    loop_lag_check,
    model_check,
    models_check,
    tree_check,
    workers_check,
)
from failsoft.telemetry.probes import nodes

Part: TypeAlias = Annotated[float, Meta(gt=0, lt=1)]
Name: TypeAlias = Literal[
    "tree", "workers", "gpu_memory", "host_memory", "disk", "loop_lag", "canaries"
]

_CANARIES_TIMEOUT = 120.0


class HealthConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bound what the built-in checks look at; docs/telemetry.md has them, and the usual bounds.

    gpu_memory, host_memory: the share of a device's memory, and of the machine's, in use.
    disk: a folder on the disk that is looked at. disk_free: the least share of it that is free.
    loop_lag: seconds that a timer may come late.
    canaries: whether each text model in a worker of ours is asked for a token now and then, while
        it is idle.
    critical: checks whose failure makes the service critical, besides that of the models.
    """

    gpu_memory: Part | UnsetType = UNSET
    host_memory: Part | UnsetType = UNSET
    disk: PathText | UnsetType = UNSET
    disk_free: Part | UnsetType = UNSET
    loop_lag: Positive | UnsetType = UNSET
    canaries: bool = False
    critical: tuple[Name, ...] = ()

    def checks(self) -> tuple[HealthCheck, ...]:
        """Give the checks. Raise ValueError."""
        checks = (
            models_check(),
            tree_check(critical="tree" in self.critical),
            workers_check(critical="workers" in self.critical),
            gpu_memory_check(**self._said("gpu_memory", most=self.gpu_memory)),
            host_memory_check(**self._said("host_memory", most=self.host_memory)),
            disk_check(**self._said("disk", path=self.disk, least_free=self.disk_free)),
            loop_lag_check(**self._said("loop_lag", most=self.loop_lag)),
        )
        return (*checks, canaries_check("canaries" in self.critical)) if self.canaries else checks

    def _said(self, name: str, **fields: Any) -> dict[str, Any]:
        said = {field: value for field, value in fields.items() if value is not UNSET}
        return {"critical": name in self.critical, **said}


def canaries_check(critical: bool) -> HealthCheck:
    """Fail where one of the text models, as they are by then, doesn't make a token while idle."""

    async def run(system: System) -> None:
        for node in nodes(system.tree()):
            ref = system.find(node.path)
            # What a server elsewhere answers may have to be paid for.
            is_ours = "model_state" in node.shows and "server" not in node.shows
            if is_ours and ref is not None and GenerateText in ref.address.accepts:
                await model_check(node.path).run(system)

    return HealthCheck("canaries", run, critical, interval=30.0, timeout=_CANARIES_TIMEOUT)
