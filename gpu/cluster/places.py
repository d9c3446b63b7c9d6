"""Places for workers on other machines: asked for, given, and handed back."""

from __future__ import annotations

from typing import Protocol

from failsoft.gpu.cluster.keeper_address import KeeperAddress, KeeperOrder
from failsoft.gpu.placement import Placement


class PlaceError(OSError):
    """Tell why there is no place for a worker.

    is_final: another try won't help before something is changed: the cluster has no such room.
    """

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


class Place(Protocol):
    """Hold a place on another machine, whose keeper waits to be claimed."""

    address: KeeperAddress

    def release(self) -> None:
        """Hand it back, and have whatever runs there ended. Idempotent; doesn't wait."""
        ...


class Places(Protocol):
    """Find places for workers."""

    async def place(self, placement: Placement, order: KeeperOrder) -> Place:
        """Give a place, with a keeper. Raises PlaceError; cancelled, it leaves nothing behind."""
        ...

    async def aclose(self) -> None:
        """End all that runs at its places; return when nothing of it is left here."""
        ...
