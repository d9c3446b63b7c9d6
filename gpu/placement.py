"""Where a worker runs, when it isn't beside the service."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class RayPlacement(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="ray",
):
    """Have a worker run on a Ray cluster, which keeps so much of one of its nodes for it.

    gpus, cpus: may be fractions. memory: in bytes; 0 asks for none. resources: custom ones, by
    name. strategy: ``pack`` fills up nodes that are in use before others (Ray's ``DEFAULT``);
    ``spread`` takes the nodes in turn (Ray's ``SPREAD``).
    address: the cluster's, as ``ray.init`` takes it: ``auto`` for the one that this machine is of
    (or that ``RAY_ADDRESS`` names), ``ray://HOST:PORT`` from outside.
    runtime_env: what the node is to set up before, as Ray takes it. failsoft, of the same version,
    and the engine's own libraries must be there in the end.
    place_limit: how many seconds the cluster may take to find, or make, room for it.
    silence_limit: after so many seconds in which nothing comes from its node, the worker is lost;
    and so long after its service has fallen silent it ends itself.

    Raises ValueError where a field makes no sense.
    """

    gpus: float = 0.0
    cpus: float = 1.0
    memory: int = 0
    resources: dict[str, float] = {}
    strategy: Literal["pack", "spread"] = "pack"
    address: str = "auto"
    runtime_env: dict[str, Any] = {}
    place_limit: float = 300.0
    silence_limit: float = 10.0

    def __post_init__(self) -> None:
        amounts = {"gpus": self.gpus, "cpus": self.cpus, "memory": self.memory, **self.resources}
        for name, amount in amounts.items():
            if not amount >= 0:
                raise ValueError(f"{name} must be at least 0; it is {amount}")
        if self.gpus > 1 and self.gpus != int(self.gpus):
            raise ValueError(f"gpus must be whole where it is over 1; it is {self.gpus}")
        if self.strategy not in ("pack", "spread"):
            raise ValueError(f"strategy must be 'pack' or 'spread'; it is {self.strategy!r}")
        if self.address in ("", "local"):
            raise ValueError(
                "address must name a cluster that runs, or be 'auto': the workers of one that Ray "
                "starts for this service alone are better run without Ray"
            )
        if not self.place_limit > 0:
            raise ValueError(f"place_limit must be over 0 s; it is {self.place_limit}")
        _check_silence(self.silence_limit)
        try:
            msgspec.json.encode(self.runtime_env)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise ValueError(f"runtime_env must be plain data: {error}") from error

    def wants(self) -> str:
        """Say in words what it asks a node for."""
        amounts = {"GPU": self.gpus, "CPU": self.cpus, "bytes of memory": self.memory}
        asked = {name: amount for name, amount in {**amounts, **self.resources}.items() if amount}
        return ", ".join(f"{amount:.15g} {name}" for name, amount in asked.items()) or "nothing"


class CommandPlacement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Have a worker run where a command runs a program: ``("ssh", "HOST")``, ``("srun", "-G1")``.

    command: what is put before ``PYTHON -P -m failsoft.gpu.cluster.keeper``; it passes on standard
    input and output, and ends the program where its input ends.
    python: the interpreter there. host: the address, or name, at which the service reaches it.
    place_limit, silence_limit: as in ``RayPlacement``.

    Raises ValueError where a field makes no sense.
    """

    command: tuple[str, ...] = ()
    python: str = "python3"
    host: str = "127.0.0.1"
    place_limit: float = 60.0
    silence_limit: float = 10.0

    def __post_init__(self) -> None:
        if not self.place_limit > 0:
            raise ValueError(f"place_limit must be over 0 s; it is {self.place_limit}")
        _check_silence(self.silence_limit)


Placement = RayPlacement | CommandPlacement


def _check_silence(limit: float) -> None:
    if not limit >= 1:
        raise ValueError(f"silence_limit must be at least 1 s; it is {limit}")
