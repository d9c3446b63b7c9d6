"""Fixtures for the runtime's tests: virtual time, and a system to be in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from failsoft.actors import System
from failsoft.testing import Gate, VirtualTimeLoop, VirtualTimeUvloop


@pytest.fixture(params=[VirtualTimeLoop, VirtualTimeUvloop], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    """Run in virtual time, on either loop."""
    return "asyncio", {"loop_factory": request.param}


@pytest.fixture
async def system(clean_loop: None, plain_logs: None) -> AsyncIterator[System]:
    """Give a system that must leave nothing behind."""
    async with System() as system:
        yield system


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """Give a gate for a worker to wait at, still closed."""
    with Gate(tmp_path / "gate") as gate:
        yield gate
