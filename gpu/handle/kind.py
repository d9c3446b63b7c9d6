"""Give a worker's spec the kind of worker that it asks for."""

from __future__ import annotations

from failsoft.gpu.handle.followed import FollowedWorker
from failsoft.gpu.handle.listener import WorkerListener
from failsoft.gpu.handle.worker_process import WorkerProcess
from failsoft.gpu.handle.worker_thread import WorkerThread
from failsoft.gpu.process.host import WorkerHost
from failsoft.gpu.worker_spec import WorkerSpec


def make_worker(
    spec: WorkerSpec, host: WorkerHost, listener: WorkerListener, path: str
) -> FollowedWorker:
    """Make the worker that ``spec`` describes; it is still to be started.

    host: makes its process, where it has one. path: the actor's, for the log of a thread.
    """
    if spec.run_in == "thread":
        return WorkerThread(spec, listener, path)
    return WorkerProcess(spec, host, listener)
