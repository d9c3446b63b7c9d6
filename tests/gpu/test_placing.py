"""A model is placed where it has room, or refused. CUDA is stood in for, where there is none."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch

from failsoft.gpu.embedding.engine import EmbeddingEngine
from failsoft.gpu.embedding.worker import embedding_worker
from failsoft.gpu.image.engine import ImageEngine
from failsoft.gpu.loading import placing
from failsoft.gpu.loading.model_source import ModelSource
from failsoft.gpu.loading.placing import place
from failsoft.gpu.memory.device_memory import DeviceMemory
from failsoft.gpu.memory.model_size import model_bytes
from failsoft.gpu.text.engine import TextEngine
from failsoft.messages.errors import ModelLoadingFailed
from failsoft.messages.frames import LoadFailed

from .launched import Launcher
from .tiny_models import save_bert, save_pipeline

MIB = 1024 * 1024
GIB = 1024 * MIB


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[DeviceMemory]:
    """Give what holds the memory of the machine: 1 GiB, of which half is in use."""
    memory = [DeviceMemory(0, GIB // 2, GIB)]
    monkeypatch.setattr(placing, "memory_of_machine", lambda: memory[0])
    return memory


class Devices:
    """Stand in for CUDA devices of 10 GiB, of which so many bytes are free."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, free: list[int]) -> None:
        self.free = free
        self.contexts: list[int] = []
        self.taken: list[tuple[int, torch.device, bool]] = []
        self.has_nvml = True
        for name, stand_in in {
            "is_available": lambda: True,
            "is_initialized": lambda: True,
            "device_count": lambda: len(free),
            "get_device_properties": lambda _: type("Properties", (), {"total_memory": 10 * GIB}),
            "device_memory_used": self._used,
            "mem_get_info": self._mem_get_info,
            "memory_reserved": lambda _: 0,
            "memory_allocated": lambda _: 0,
        }.items():
            monkeypatch.setattr(torch.cuda, name, stand_in)
        monkeypatch.setattr(torch, "empty", self._take)

    def _used(self, index: int) -> int:
        if not self.has_nvml:
            raise ModuleNotFoundError("nvidia-ml-py")
        return 10 * GIB - self.free[index]

    def _mem_get_info(self, index: int) -> tuple[int, int]:
        self.contexts.append(index)
        return self.free[index], 10 * GIB

    def _take(self, size: int, *, dtype: torch.dtype, device: torch.device) -> None:
        path = Path(tempfile.gettempdir()) / f"failsoft-{os.getuid()}-devices.lock"
        lock = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_locked = False
        except BlockingIOError:
            is_locked = True
        os.close(lock)
        self.taken.append((size, device, is_locked))


@pytest.fixture(autouse=True)
def own_lock(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("lock")))


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    """Give a real model, a tiny one, stored in float32."""
    save_bert(tmp_path / "bert")
    return tmp_path / "bert"


def source(model: Path, device: str, **options: Any) -> ModelSource:
    return ModelSource(str(model), None, options.pop("dtype", "auto"), device, **options)


def placed(model: Path, device: str, **options: Any) -> tuple[torch.device, object]:
    asked = source(model, device, **options)
    return place(asked, asked.chosen_dtype)


def test_a_model_that_does_not_fit_is_refused_before_it_is_read(
    bert: Path, machine: list[DeviceMemory], monkeypatch: pytest.MonkeyPatch
) -> None:
    """WK-07 All figures are in the details, and the words say what to do."""
    monkeypatch.setattr(placing, "model_bytes", lambda *_, **__: 500 * MIB)
    with pytest.raises(
        ModelLoadingFailed, match=r"needs 500 MiB.*smaller model or dtype"
    ) as caught:
        EmbeddingEngine(str(bert), device="cpu").load(lambda *_: pytest.fail("it was read"))
    assert caught.value.details == {
        "model": "bert",
        "needed_mb": 500,
        "memory_available_mb": 512,
        "memory_total_mb": 1024,
        "device": "cpu",
    }


def test_the_dtype_decides(bert: Path, machine: list[DeviceMemory]) -> None:
    """WK-07 What doesn't fit in float32 may fit in half of that."""
    needed = (bert / "model.safetensors").stat().st_size
    machine[0] = DeviceMemory(0, 0, needed)
    with pytest.raises(ModelLoadingFailed, match="MiB"):
        placed(bert, "cpu")
    assert placed(bert, "cpu", dtype="bfloat16") == (torch.device("cpu"), torch.bfloat16)


def test_the_share_is_an_option(bert: Path, machine: list[DeviceMemory]) -> None:
    """Each engine has it."""
    machine[0] = DeviceMemory(0, GIB // 2, GIB)
    tight: list[Any] = [
        engine(str(bert), device="cpu", max_memory_share=0.00001)
        for engine in (TextEngine, EmbeddingEngine)
    ]
    for engine in tight:
        with pytest.raises(ModelLoadingFailed, match="larger max_memory_share"):
            engine.load(lambda *_: None)
        assert engine.max_memory_share == 0.00001


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5, float("nan")])
def test_a_share_out_of_range_is_named(bert: Path, share: float) -> None:
    """WK-07 With what it may be."""
    with pytest.raises(ModelLoadingFailed, match=r"max_memory_share must be over 0 and at most 1"):
        placed(bert, "cpu", max_memory_share=share)


def test_a_pipeline_that_does_not_fit_is_refused(
    tmp_path: Path, machine: list[DeviceMemory]
) -> None:
    """WK-07 All of its parts count."""
    save_pipeline(tmp_path / "tiny")
    machine[0] = DeviceMemory(0, 0, 94_000 * 4)
    with pytest.raises(ModelLoadingFailed, match=r"'tiny'.*needs"):
        ImageEngine(str(tmp_path / "tiny"), device="cpu").load(lambda *_: None)


def test_a_size_that_is_not_known_refuses_nobody(tmp_path: Path) -> None:
    """What isn't fetched yet, say."""
    assert placed(tmp_path, "cpu", max_memory_share=0.00001)[0] == torch.device("cpu")


def test_auto_is_the_device_with_most_room(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others aren't touched: a look at one in torch's own way would take memory of it."""
    devices = Devices(monkeypatch, [1 * GIB, 3 * GIB, 2 * GIB])
    device, dtype = placed(bert, "auto")
    assert (str(device), dtype) == ("cuda:1", "auto")
    assert set(devices.contexts) == {1}


def test_auto_without_the_drivers_own_figures(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then torch's way must do."""
    devices = Devices(monkeypatch, [1 * GIB, 2 * GIB, 3 * GIB])
    devices.has_nvml = False
    assert str(placed(bert, "auto")[0]) == "cuda:2"


def test_the_room_is_taken_before_another_chooses(
    bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that load at once don't count on the same memory."""
    devices = Devices(monkeypatch, [2 * GIB, 5 * GIB])
    placed(bert, "auto")
    ((size, device, is_locked),) = devices.taken
    assert size == model_bytes(bert)
    assert (str(device), is_locked) == ("cuda:1", True)


def test_a_full_device_is_named(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """WK-07 Nothing is taken of it."""
    devices = Devices(monkeypatch, [1 * GIB])
    with pytest.raises(ModelLoadingFailed, match=r"device 'cuda:0' has 1024 MiB free") as caught:
        placed(bert, "cuda:0")
    assert caught.value.details["device"] == "cuda:0"
    assert devices.taken == []


def test_a_device_without_an_index_is_the_first(
    bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As torch has it."""
    devices = Devices(monkeypatch, [5 * GIB, 9 * GIB])
    assert str(placed(bert, "cuda")[0]) == "cuda"
    assert set(devices.contexts) == {0}


@pytest.mark.anyio
async def test_a_worker_tells_why_its_model_was_refused(bert: Path, launch: Launcher) -> None:
    """WK-07 With the figures, by a real process, which ends."""
    worker = await launch(embedding_worker(bert, max_memory_share=0.00001))
    error = (await worker.report(LoadFailed)).error
    assert error.kind == "model_loading_failed"
    assert error.details["memory_available_mb"] > 0
    assert (await worker.ended()).exit_status == 1
