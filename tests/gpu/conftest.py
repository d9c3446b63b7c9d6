"""Fixtures for tests with worker processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from failsoft.gpu import WorkerHost
from failsoft.testing import Gate

from .launched import Launcher, open_descriptors


@pytest.fixture
async def host() -> AsyncIterator[WorkerHost]:
    """Give a host of worker processes. Whatever a test does to it, no descriptor is left open."""
    before = open_descriptors()
    host = WorkerHost()
    yield host
    await host.aclose()
    assert open_descriptors() == before


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """Give a gate, still closed."""
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.close()


@pytest.fixture
def launch(host: WorkerHost) -> Launcher:
    """Give what starts workers on ``host``."""
    return Launcher(host)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Have torch compute with one thread: on a busy machine more are far slower for tiny models."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
