"""A destination that does as a test says: for faults in virtual time, where no socket can be."""

from __future__ import annotations

from collections.abc import Sequence

import anyio

from failsoft.telemetry import AlertsChanged, Destination, NotDelivered

# What becomes of the tries, in order, the last one again: it gets through, it hangs, or an error.
Fate = Exception | str


class Scripted(Destination, frozen=True, kw_only=True):
    """Take alerts in, or fail, as ``fates`` say; ``got`` has what came through."""

    fates: list[Fate]
    got: list[str]
    tries: list[str]
    in_parts: bool = False

    @property
    def place(self) -> str:
        return "here"

    def open(self) -> ScriptedDelivery:
        return ScriptedDelivery(self)


class ScriptedDelivery:
    def __init__(self, destination: Scripted) -> None:
        self._to = destination

    def parts(self, event: AlertsChanged) -> Sequence[str]:
        names = [f"{alert.name} {alert.status}" for alert in event.alerts]
        return names if self._to.in_parts else [", ".join(names)]

    async def send(self, part: str) -> None:
        self._to.tries.append(part)
        fates = self._to.fates
        fate = fates.pop(0) if len(fates) > 1 else fates[0]
        if isinstance(fate, Exception):
            raise fate
        if fate == "hangs":
            await anyio.sleep_forever()
        self._to.got.append(part)

    async def aclose(self) -> None: ...


def scripted(*fates: Fate, in_parts: bool = False) -> Scripted:
    return Scripted(fates=list(fates) or ["well"], got=[], tries=[], in_parts=in_parts)


def refused(**options: object) -> NotDelivered:
    return NotDelivered("it refused", **options)  # type: ignore[arg-type]
