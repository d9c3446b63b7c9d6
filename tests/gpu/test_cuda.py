"""What only a real CUDA device can show. Skipped where there is none."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from failsoft.gpu import WorkerSpec, text_worker
from failsoft.messages import GenerateText
from failsoft.messages.frames import Heartbeat

from .launched import Launcher

pytestmark = [pytest.mark.anyio, pytest.mark.cuda]

GIB = 1024**3


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> WorkerSpec:
    """Give a worker whose engine holds a GiB of the device."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).parent)])
    return WorkerSpec(
        engine="cuda_engine:CudaEngine",
        options={"held_bytes": GIB},
        preload=("torch",),
        heartbeat_every=0.1,
    )


def free_bytes() -> int:
    import torch

    free: int = torch.cuda.mem_get_info()[0]
    return free


async def test_the_devices_memory_runs_out_for_real(launch: Launcher, engine: WorkerSpec) -> None:
    """WK-08 The error has the device's figures, and the worker goes on."""
    worker = await launch.ready(engine)
    failed = await worker.failure_of(worker.run("too much"))
    assert failed.error.kind == "out_of_memory"
    assert not failed.sticky
    assert failed.error.details["memory_used_mb"] >= 1024
    assert failed.error.details["memory_available_mb"] > 0
    assert (await worker.reply_of(worker.run("fine", stream=False))).text == "2"


async def test_a_device_side_assert_is_cured_by_a_new_process(
    launch: Launcher, engine: WorkerSpec
) -> None:
    """WK-09 The old process can't use the device any more, and says so."""
    worker = await launch.ready(engine)
    failed = await worker.failure_of(worker.run("assert"))
    assert (failed.error.kind, failed.sticky) == ("generation_failed", True)
    worker.process.kill("its device is broken")
    await worker.ended()
    another = await launch.ready(engine)
    assert (await another.reply_of(another.run("fine", stream=False))).text == "2"


async def test_the_devices_memory_comes_back_with_sigkill(
    launch: Launcher, engine: WorkerSpec
) -> None:
    """WK-01 As soon as the process is gone."""
    before = free_bytes()
    worker = await launch.ready(engine)
    beat = await worker.report(Heartbeat, lambda beat: beat.device_bytes >= GIB)
    assert beat.device_total_bytes > beat.device_used_bytes >= GIB
    assert free_bytes() <= before - GIB
    os.kill(worker.pid, signal.SIGKILL)
    await worker.ended()
    assert free_bytes() > before - GIB // 4


async def test_a_language_model_answers_on_the_device(launch: Launcher, smollm2: Path) -> None:
    """WK-13 Greedy texts in float32 are those of the CPU."""
    request: Any = GenerateText("The capital of France is", max_tokens=8, temperature=0)
    texts = []
    for device in ("cuda", "cpu"):
        worker = await launch.ready(text_worker(smollm2, device=device, dtype="float32", threads=1))
        assert (await worker.ready()).info["device"].startswith(device)
        texts.append((await worker.reply_of(worker.run(request, stream=False))).text)
    assert texts[0] == texts[1]
