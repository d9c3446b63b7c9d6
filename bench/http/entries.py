"""Who is measured."""

from __future__ import annotations

import msgspec

from bench.servers.asked import BATCH, WAIT_MS
from bench.servers.known import SERVERS


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Tell of one that is measured.

    server: its module in ``servers``. environment, settings: besides those of the server. aim: how
    many times its requests a second ours must do, with ``AIMED_CONNECTIONS``. is_rival: it does
    what ours does. is_quick: it is measured in a short run, too.
    """

    name: str
    server: str
    environment: dict[str, str] = {}
    settings: str = ""
    aim: float | None = None
    is_rival: bool = True
    is_quick: bool = True

    @property
    def all_environment(self) -> dict[str, str]:
        return SERVERS[self.server].environment | self.environment

    @property
    def all_settings(self) -> str:
        return "; ".join(filter(None, (SERVERS[self.server].settings, self.settings)))


AIMED_CONNECTIONS = 16
_OFF = {"BENCH_TELEMETRY": "off"}
_BATCHED = {BATCH: "16", WAIT_MS: "1"}

OURS = Entry(
    name="failsoft", server="failsoft", environment=_OFF, settings="here without telemetry"
)
# What telemetry costs.
OBSERVED = (
    Entry(name="failsoft, with telemetry", server="failsoft", is_quick=False),
    Entry(
        name="failsoft, with telemetry and a log line each",
        server="failsoft",
        environment={"BENCH_TELEMETRY": "logged"},
        settings="here it logs each request, to a file",
        is_quick=False,
    ),
)
PEERS = (
    Entry(name="LitServe", server="litserve", aim=4.0),
    Entry(name="mosec", server="mosec", aim=1.0),
    Entry(
        name="mosec, batches",
        server="mosec",
        environment=_BATCHED,
        settings="here of up to 16, within 1 ms",
        aim=1.0,
    ),
    Entry(name="Ray Serve", server="ray_serve", aim=10.0),
    Entry(
        name="Ray Serve, its own proxy",
        server="ray_serve",
        environment={"RAY_SERVE_ENABLE_HA_PROXY": "0"},
        settings="here with the proxy in Python that is its default",
        aim=10.0,
        is_quick=False,
    ),
    Entry(name="FastAPI", server="fastapi"),
    Entry(name="Starlette", server="starlette", aim=0.5, is_rival=False),
    Entry(name="Starlette, asking another process", server="starlette_asking", is_rival=False),
)
