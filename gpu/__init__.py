"""Worker processes and the engines that run in them. Nothing here imports torch.

Most names are loaded when first used: the reaper is of this package too, and stays small.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# At once, since their modules have the same names, and would take their places when imported later.
from failsoft.gpu.embedding_worker import embedding_worker
from failsoft.gpu.image_worker import image_worker
from failsoft.gpu.text_worker import text_worker

if TYPE_CHECKING:
    from failsoft.gpu.engine import Engine as Engine
    from failsoft.gpu.model_size import model_bytes as model_bytes
    from failsoft.gpu.worker_host import WorkerHost as WorkerHost
    from failsoft.gpu.worker_host import WorkerHostStatistics as WorkerHostStatistics
    from failsoft.gpu.worker_kind import make_worker as make_worker
    from failsoft.gpu.worker_listener import WorkerGone as WorkerGone
    from failsoft.gpu.worker_listener import WorkerListener as WorkerListener
    from failsoft.gpu.worker_log import WorkerLine as WorkerLine
    from failsoft.gpu.worker_process import WorkerProcess as WorkerProcess
    from failsoft.gpu.worker_spec import WorkerSpec as WorkerSpec
    from failsoft.gpu.worker_thread import WorkerThread as WorkerThread
    from failsoft.gpu.worker_threads import WorkerThreadStatistics as WorkerThreadStatistics
    from failsoft.gpu.worker_threads import worker_thread_statistics as worker_thread_statistics

_HOMES = {
    "Engine": "engine",
    "WorkerGone": "worker_listener",
    "WorkerHost": "worker_host",
    "WorkerHostStatistics": "worker_host",
    "WorkerLine": "worker_log",
    "WorkerListener": "worker_listener",
    "WorkerProcess": "worker_process",
    "WorkerSpec": "worker_spec",
    "WorkerThread": "worker_thread",
    "WorkerThreadStatistics": "worker_threads",
    "make_worker": "worker_kind",
    "model_bytes": "model_size",
    "worker_thread_statistics": "worker_threads",
}

__all__ = [
    "Engine",
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
