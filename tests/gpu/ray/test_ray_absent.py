"""A service without workers on a Ray cluster has nothing of Ray; with them, it asks for it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.gpu.launched import Launcher

from failsoft.gpu.cluster.cluster_host import ClusterHost
from failsoft.gpu.placement import RayPlacement
from failsoft.gpu.scripted import scripted
from failsoft.messages.frames import LoadFailed

SERVE = """
import asyncio, functools, sys
import failsoft
from failsoft.actors import ModelActor, System
from failsoft.gpu.placement import RayPlacement
from failsoft.gpu.scripted import scripted
from failsoft.messages import GenerateText

async def main():
    RayPlacement()
    async with System() as system:
        ref = await system.spawn(functools.partial(ModelActor, scripted()), "model")
        await ref.ask(GenerateText("hello"), timeout=60)

asyncio.run(main())
print([name for name in sys.modules if name.split(".")[0] == "ray"])
"""


def test_a_service_without_it_imports_nothing_of_ray() -> None:
    """Also where placements are named, as a configuration does."""
    done = subprocess.run([sys.executable, "-P", "-c", SERVE], capture_output=True, check=True)
    assert done.stdout == b"[]\n"


def test_an_environment_that_is_no_plain_data() -> None:
    """It has to travel to the placer."""
    with pytest.raises(ValueError, match="runtime_env must be plain data: Encoding objects of"):
        RayPlacement(runtime_env={"py_modules": [pytest]})


@pytest.mark.anyio
async def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    places = ClusterHost()
    worker = await Launcher(places, placement=RayPlacement())(scripted())
    failed = await worker.report(LoadFailed)
    await worker.ended()
    await places.aclose()
    assert failed.error.message == (
        "Ray isn't installed beside this service: pip install 'failsoft[ray]'"
    )
