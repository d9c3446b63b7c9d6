"""Fixtures for tests with workers at other places: a keeper on this machine stands for them."""

from __future__ import annotations

import sys
import threading
from collections.abc import AsyncIterator

import pytest
from tests.gpu.launched import Launcher, open_descriptors

from failsoft.gpu.cluster.cluster_host import ClusterHost
from failsoft.gpu.cluster.tls import TlsPump
from failsoft.gpu.placement import CommandPlacement

from .authority import Authority


@pytest.fixture
async def places() -> AsyncIterator[ClusterHost]:
    """Give a host of workers at other places. Whatever a test does, no descriptor is left open."""
    before = open_descriptors()
    host = ClusterHost()
    yield host
    await host.aclose()
    for thread in threading.enumerate():
        if isinstance(thread, TlsPump):
            thread.join()
    assert open_descriptors() == before


@pytest.fixture
async def launch(places: ClusterHost) -> AsyncIterator[Launcher]:
    """Give what starts workers with a keeper each. In the end, each was gone once and last."""
    launcher = Launcher(places, placement=CommandPlacement(python=sys.executable))
    yield launcher
    await places.aclose()
    for launched in launcher.launched:
        await launched.ended()


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Authority]:
    folder = tmp_path_factory.mktemp("tls")
    return Authority(folder / "ours"), Authority(folder / "another")


@pytest.fixture
def ours(
    authorities: tuple[Authority, Authority], monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """Have this service, and what it starts, speak in TLS."""
    for name, value in authorities[0].settings.items():
        monkeypatch.setenv(name, value)
    return authorities[0].settings
