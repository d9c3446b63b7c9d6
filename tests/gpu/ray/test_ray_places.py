"""Places that a Ray cluster gives: which node, with what, and what is said where there is none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from tests.gpu.launched import Launched, Launcher
from tests.gpu.ray.ray_cluster import RayCluster, actor_of, keeper_of, placed

from failsoft.gpu.script import Echo, Script
from failsoft.gpu.scripted import scripted
from failsoft.messages.frames import LoadFailed

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("clean_loop")]

ECHO = scripted(Script(otherwise=[Echo()]))


def environment_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/environ").read_text().split("\0")


def maps_ray(pid: int) -> bool:
    return "_raylet.so" in Path(f"/proc/{pid}/maps").read_text()


async def refused(worker: Launched) -> str:
    """Give why a worker got no place, once it is gone."""
    failed = await worker.report(LoadFailed)
    await worker.ended()
    assert failed.error.kind == "model_loading_failed"
    return failed.error.message


async def test_a_worker_answers_streams_and_ends(launch: Launcher) -> None:
    worker = await launch.ready(ECHO)
    streamed, whole = worker.run("to be or not"), worker.run("that is it", stream=False)
    await worker.end_of(streamed)
    assert worker.text_of(streamed) == "to be or not"
    assert (await worker.reply_of(whole)).text == "that is it"
    await worker.process.stop()
    gone = await worker.ended()
    assert (gone.was_asked, gone.exit_status) == (True, 0)


@pytest.mark.parametrize("end", ["stopped", "killed"])
async def test_its_place_is_free_again(launch: Launcher, end: str) -> None:
    """Each takes all of the one node that has it; the second is placed once the first is gone."""
    placed(launch, cpus=2.0, resources={"one": 10})
    first = await launch.ready(ECHO)
    if end == "killed":
        first.process.kill("enough")
    await first.process.stop()
    second = await launch.ready(ECHO)
    assert second.pid != first.pid


async def test_a_resource_picks_the_node(launch: Launcher, cluster: RayCluster) -> None:
    for name in ("two", "one"):
        worker = await placed(launch, resources={name: 1}).ready(ECHO)
        assert cluster.node_of(worker.pid) == name


async def test_spread_takes_the_nodes_in_turn(launch: Launcher, cluster: RayCluster) -> None:
    placed(launch, strategy="spread")
    workers = [await launch.ready(ECHO) for _ in range(2)]
    assert {cluster.node_of(worker.pid) for worker in workers} == {"one", "two"}


async def test_each_worker_has_its_own_gpu(launch: Launcher) -> None:
    """Ray tells an actor which one it has; its worker sees no other."""
    workers = [await placed(launch, gpus=1.0).ready(ECHO) for _ in range(2)]
    seen = [
        line
        for worker in workers
        for line in environment_of(worker.pid)
        if line.startswith("CUDA_VISIBLE_DEVICES=")
    ]
    assert sorted(seen) == ["CUDA_VISIBLE_DEVICES=0", "CUDA_VISIBLE_DEVICES=1"]


async def test_nothing_of_ray_is_in_the_worker(launch: Launcher) -> None:
    """Nor in its keeper: neither maps Ray's library."""
    worker = await launch.ready(ECHO)
    for pid in (worker.pid, keeper_of(worker.pid)):
        assert not maps_ray(pid)
    assert maps_ray(actor_of(worker.pid))


async def test_the_environment_reaches_the_worker(launch: Launcher) -> None:
    env = {"env_vars": {"MODEL_HOME": "/models"}}
    worker = await placed(launch, runtime_env=env).ready(ECHO)
    assert "MODEL_HOME=/models" in environment_of(worker.pid)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"gpus": 8.0}, "no place for 8 GPU, 1 CPU within 1 s; free in all: 4 CPU, 2 GPU, "),
        ({"cpus": 3.0}, "no place for 3 CPU within 1 s; free in all: 4 CPU, "),
        ({"resources": {"fpga": 1}}, "no place for 1 CPU, 1 fpga within 1 s; free in all: 4 CPU, "),
        ({"memory": 10**14}, "1 CPU, 100000000000000 bytes of memory within 1 s; .* [0-9]+ memory"),
    ],
)
async def test_what_no_node_has(launch: Launcher, fields: dict[str, Any], said: str) -> None:
    """WK-07 It says what was asked for, and what there is."""
    worker = await placed(launch, place_limit=1.0, **fields)(ECHO)
    assert re.search(said, await refused(worker))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"runtime_env": {"env_vars": {"A": 1}}}, "must be of type Dict[str, str]"),
        ({"runtime_env": {"working_dir": "/no/such"}}, "/no/such is not a valid path"),
        ({"resources": {"CPU": 1}}, "Use the 'num_cpus'"),
    ],
)
async def test_what_ray_can_not_do(launch: Launcher, fields: dict[str, Any], said: str) -> None:
    """WK-07 Ray's own words for it, in a line; no other try would help."""
    worker = await placed(launch, **fields)(ECHO)
    assert said in await refused(worker)


async def test_a_node_without_failsoft(launch: Launcher, tmp_path: Path) -> None:
    """WK-07 The error says what is missing there."""
    (tmp_path / "failsoft").mkdir()
    (tmp_path / "failsoft" / "__init__.py").touch()
    worker = await placed(launch, runtime_env={"env_vars": {"PYTHONPATH": str(tmp_path)}})(ECHO)
    assert await refused(worker) == (
        "Ray could not place it: ModuleNotFoundError: No module named 'failsoft.gpu'"
    )


async def test_a_keeper_that_can_not_be_started(launch: Launcher, tmp_path: Path) -> None:
    """The error says where to look; the place is given back."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nif 'failsoft.gpu.cluster.keeper' in sys.orig_argv: os._exit(1)\n"
    )
    env = {"env_vars": {"PYTHONPATH": str(tmp_path)}}
    worker = await placed(launch, runtime_env=env, resources={"one": 10})(ECHO)
    assert "its keeper ended before it listened" in (await worker.ended()).reason
    await placed(launch, runtime_env={}).ready(ECHO)


async def test_one_that_is_refused_leaves_the_others_their_places(launch: Launcher) -> None:
    worker = await launch.ready(ECHO)
    await refused(await placed(launch, gpus=8.0, place_limit=0.5)(ECHO))
    assert (await worker.reply_of(worker.run("still here", stream=False))).text == "still here"


@pytest.mark.parametrize("address", ["bad address", "127.0.0.1"])
async def test_no_cluster_is_there(launch: Launcher, address: str) -> None:
    worker = await placed(launch, address=address)(ECHO)
    gone = await worker.ended()
    assert f"no Ray cluster answers at '{address}'" in gone.reason
