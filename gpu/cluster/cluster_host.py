"""The host of a service's workers on other machines: it finds places, and ends all at them."""

from __future__ import annotations

from failsoft.gpu.cluster.command_places import CommandPlaces
from failsoft.gpu.cluster.keeper_address import KeeperOrder
from failsoft.gpu.cluster.places import Place, PlaceError, Places
from failsoft.gpu.cluster.ray_places import RayPlaces
from failsoft.gpu.placement import Placement, RayPlacement


class ClusterHost:
    """Find places by what a placement says. One host belongs to one event loop."""

    def __init__(self) -> None:
        self._places: dict[str, Places] = {}
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<ClusterHost {'closed, ' * self._is_closed}{list(self._places.values())}>"

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    async def place(self, placement: Placement, order: KeeperOrder) -> Place:
        """Give a place, with a keeper. Raises PlaceError where there is none."""
        if self._is_closed:
            raise PlaceError("the service is closing")
        return await self._places_for(placement).place(placement, order)

    async def aclose(self) -> None:
        """End all workers at all places; return when nothing of them is left here. Idempotent."""
        self._is_closed = True
        for places in self._places.values():
            await places.aclose()

    def _places_for(self, placement: Placement) -> Places:
        if not isinstance(placement, RayPlacement):
            return self._places.setdefault("command", CommandPlaces())
        if placement.address not in self._places:
            self._places[placement.address] = RayPlaces(placement.address)
        return self._places[placement.address]
