"""Fixtures for the runtime's tests: virtual time, and a system to be in."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from failsoft.actors import System
from failsoft.testing import VirtualTimeLoop


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Run in virtual time."""
    return "asyncio", {"loop_factory": VirtualTimeLoop}


@pytest.fixture
async def system(clean_loop: None, plain_logs: None) -> AsyncIterator[System]:
    """Give a system that must leave nothing behind."""
    async with System() as system:
        yield system
