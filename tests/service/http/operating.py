"""An operator of a service in this very process, for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2

from failsoft.actors import System
from failsoft.service.http import failsoft_app, hashed

_TOKEN = "an-operator-of-the-tests"


@asynccontextmanager
async def operator_of(system: System) -> AsyncIterator[httpx2.AsyncClient]:
    """Give a client with the operators' token; the service's one route is ``root/text``."""
    app = failsoft_app(system, routes={"text": "root/text"}, operator_hash=hashed(_TOKEN))
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app),
        base_url="http://failsoft",
        headers={"Authorization": f"Bearer {_TOKEN}"},
    ) as client:
        yield client
