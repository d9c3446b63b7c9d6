"""Worker processes and the engines that run in them. Nothing here imports torch.

Names are loaded when first used: the reaper is of this package too, and stays small.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from failsoft.gpu.embedding.worker import embedding_worker as embedding_worker
    from failsoft.gpu.engine import Engine as Engine
    from failsoft.gpu.handle.kind import make_worker as make_worker
    from failsoft.gpu.handle.listener import WorkerGone as WorkerGone
    from failsoft.gpu.handle.listener import WorkerListener as WorkerListener
    from failsoft.gpu.handle.worker_process import WorkerProcess as WorkerProcess
    from failsoft.gpu.handle.worker_thread import WorkerThread as WorkerThread
    from failsoft.gpu.handle.worker_threads import WorkerThreadStatistics as WorkerThreadStatistics
    from failsoft.gpu.handle.worker_threads import (
        worker_thread_statistics as worker_thread_statistics,
    )
    from failsoft.gpu.image.worker import image_worker as image_worker
    from failsoft.gpu.memory.model_size import model_bytes as model_bytes
    from failsoft.gpu.placement import CommandPlacement as CommandPlacement
    from failsoft.gpu.placement import RayPlacement as RayPlacement
    from failsoft.gpu.process.host import WorkerHost as WorkerHost
    from failsoft.gpu.process.host import WorkerHostStatistics as WorkerHostStatistics
    from failsoft.gpu.process.worker_log import WorkerLine as WorkerLine
    from failsoft.gpu.text.worker import text_worker as text_worker
    from failsoft.gpu.worker_spec import WorkerSpec as WorkerSpec

_HOMES = {
    "CommandPlacement": "placement",
    "Engine": "engine",
    "RayPlacement": "placement",
    "WorkerGone": "handle.listener",
    "WorkerHost": "process.host",
    "WorkerHostStatistics": "process.host",
    "WorkerLine": "process.worker_log",
    "WorkerListener": "handle.listener",
    "WorkerProcess": "handle.worker_process",
    "WorkerSpec": "worker_spec",
    "WorkerThread": "handle.worker_thread",
    "WorkerThreadStatistics": "handle.worker_threads",
    "embedding_worker": "embedding.worker",
    "image_worker": "image.worker",
    "make_worker": "handle.kind",
    "model_bytes": "memory.model_size",
    "text_worker": "text.worker",
    "worker_thread_statistics": "handle.worker_threads",
}

__all__ = [
    "CommandPlacement",
    "Engine",
    "RayPlacement",
    "WorkerGone",
    "WorkerHost",
    "WorkerHostStatistics",
    "WorkerLine",
    "WorkerListener",
    "WorkerProcess",
    "WorkerSpec",
    "WorkerThread",
    "WorkerThreadStatistics",
    "embedding_worker",
    "image_worker",
    "make_worker",
    "model_bytes",
    "text_worker",
    "worker_thread_statistics",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'failsoft.gpu' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"failsoft.gpu.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
