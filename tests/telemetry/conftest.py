"""Fixtures for telemetry's tests: virtual time, a system, and all of its events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from random import Random

import pytest

from failsoft.actors import System
from failsoft.messages.events import Event
from failsoft.testing import VirtualTimeLoop


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Run in virtual time."""
    return "asyncio", {"loop_factory": VirtualTimeLoop}


@pytest.fixture
async def system(clean_loop: None, plain_logs: None) -> AsyncIterator[System]:
    """Give a system that must leave nothing behind."""
    async with System(random=Random(1)) as system:
        yield system


@pytest.fixture
def events(system: System) -> list[Event]:
    """Give the list that all events go to."""
    events: list[Event] = []
    system.events.subscribe(events.append)
    return events
