"""Fixtures for tests on a Ray cluster: all share one, of a head without processors and two nodes.

The second says that it has two GPUs. A test that takes something from the cluster adds its own
node, or has a cluster of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from tests.gpu.launched import Launcher, open_descriptors
from tests.gpu.ray.ray_cluster import RayCluster

from failsoft.gpu.cluster.cluster_host import ClusterHost
from failsoft.gpu.placement import RayPlacement


@pytest.fixture(scope="session")
def cluster() -> Iterator[RayCluster]:
    """Give the cluster that all share."""
    pytest.importorskip("ray")
    with RayCluster({"head": 0, "one": 2}) as cluster:
        cluster.add("two", cpus=2, gpus=2)
        yield cluster


@pytest.fixture
def placement(cluster: RayCluster) -> RayPlacement:
    """Give a placement on any node that has a processor."""
    return RayPlacement(address=cluster.address)


@pytest.fixture
async def places() -> AsyncIterator[ClusterHost]:
    """Give a host of workers. Whatever a test does, no descriptor is left open."""
    before = open_descriptors()
    host = ClusterHost()
    yield host
    await host.aclose()
    assert open_descriptors() == before


@pytest.fixture
async def launch(
    cluster: RayCluster, places: ClusterHost, placement: RayPlacement
) -> AsyncIterator[Launcher]:
    """Give what starts workers. In the end each was gone once and last, and nothing is left."""
    launcher = Launcher(places, placement=placement)
    yield launcher
    await places.aclose()
    for launched in launcher.launched:
        await launched.ended()
    assert cluster.kept() == set()
