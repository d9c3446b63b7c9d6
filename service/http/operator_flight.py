"""The flight recorder's file, whenever an operator asks for one."""

from __future__ import annotations

from typing import Final

import msgspec

from failsoft.service.http.endpoint import Endpoint
from failsoft.service.http.exchange import Exchange
from failsoft.service.http.refusals import NotFound
from failsoft.service.http.telemetry_actors import find_actor
from failsoft.telemetry import DumpFlight

_LIMIT: Final = 60.0


class FlightAnswer(msgspec.Struct, frozen=True):
    """Tell where it was written, on the service's machine: for ``failsoft replay``."""

    file: str


async def flight(exchange: Exchange) -> None:
    """Have the flight recorder write what it holds."""
    system = exchange.gateway.system
    recorder = find_actor(system, "FlightRecorder", exchange.gateway.tree())
    if recorder is None:
        raise NotFound("No flight recorder runs; docs/telemetry.md tells how to have one.")
    # Its own folder and name: a path from outside could write over anything.
    await exchange.answer(FlightAnswer(await recorder.ask(DumpFlight(), timeout=_LIMIT)))


FLIGHT: Final = Endpoint(
    method="POST",
    path="/operator/flight",
    summary="Have the flight recorder write what it holds.",
    handler=flight,
    reply=FlightAnswer,
    access="operators",
)
