"""The registry: names for actors that others look up, wherever in the tree they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from failsoft.actors.errors import NameTaken, NoSuchActor, OtherSystem

if TYPE_CHECKING:
    from failsoft.actors.address import Address
    from failsoft.actors.ref import Ref
    from failsoft.actors.system import System


class Registry:
    """Keep the names of a system's actors: one actor a name, any number of names an actor.

    A name follows its actor through restarts, and is free once the actor has ended for good.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._refs: dict[str, Ref] = {}
        self._names: dict[Address, list[str]] = {}

    def register(self, name: str, ref: Ref) -> None:
        """Name an actor. To name it so a second time, say after a restart, changes nothing.

        Raise NameTaken where another actor has the name, NoSuchActor where this one has ended,
        OtherSystem where it lives elsewhere, ValueError for an empty name.
        """
        if not name:
            raise ValueError("a name must not be empty")
        if ref.address.system is not self._system:
            raise OtherSystem(ref.path)
        if not ref.is_alive:
            raise NoSuchActor(ref.path, self._system.paths)
        holder = self._refs.get(name)
        if holder is None:
            self._refs[name] = ref
            self._names.setdefault(ref.address, []).append(name)
        elif holder != ref:
            raise NameTaken(name, holder.path)

    def unregister(self, name: str) -> None:
        """Free a name. Raise NoSuchActor where nobody has it."""
        if name not in self._refs:
            raise NoSuchActor(name, self._refs)
        address = self._refs.pop(name).address
        self._names[address].remove(name)
        if not self._names[address]:
            del self._names[address]

    def whereis(self, name: str) -> Ref | None:
        """Give the actor that has the name; None where nobody has."""
        return self._refs.get(name)

    def names(self) -> dict[str, Ref]:
        """Give all names, in the order in which they were registered."""
        return dict(self._refs)

    def forget(self, address: Address) -> None:
        """Free the names of an actor that has ended: for the runtime."""
        for name in self._names.pop(address, ()):
            del self._refs[name]

    def __len__(self) -> int:
        return len(self._refs)

    def __repr__(self) -> str:
        return f"<Registry {len(self._refs)} names>"
