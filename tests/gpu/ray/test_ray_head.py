"""The head of a Ray cluster is lost: who is placed works on, and who comes then is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.gpu.launched import Launched, Launcher
from tests.gpu.ray.ray_cluster import RayCluster, placed

from failsoft.gpu.scripted import scripted

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("clean_loop")]

ECHO = scripted()


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    """Give a cluster whose head may be lost."""
    pytest.importorskip("ray")
    with RayCluster({"head": 0, "one": 2}) as cluster:
        yield cluster


async def echoes(worker: Launched) -> bool:
    return (await worker.reply_of(worker.run("hello", stream=False))).text == "hello"


async def test_the_head_is_lost_and_comes_back(launch: Launcher, cluster: RayCluster) -> None:
    """Meanwhile the worker serves, ends, and another one is told why it has no place."""
    staying, leaving = await launch.ready(ECHO), await launch.ready(ECHO)
    cluster.lose_head()
    assert await echoes(staying)
    await leaving.process.stop()
    refused = await placed(launch, place_limit=0.5)(ECHO)
    assert "within 0.5 s; its head does not answer" in (await refused.ended()).reason
    cluster.mend_head()
    again = await placed(launch, place_limit=60.0).ready(ECHO)
    assert await echoes(again)
    assert await echoes(staying)
