"""Give a worker's spec the kind of worker that it asks for."""

from __future__ import annotations

from typing import Protocol, TypeVar

from failsoft.gpu.cluster.cluster_host import ClusterHost
from failsoft.gpu.handle.cluster_worker import ClusterWorker
from failsoft.gpu.handle.followed import FollowedWorker
from failsoft.gpu.handle.listener import WorkerListener
from failsoft.gpu.handle.worker_process import WorkerProcess
from failsoft.gpu.handle.worker_thread import WorkerThread
from failsoft.gpu.process.host import WorkerHost
from failsoft.gpu.worker_spec import WorkerSpec

HostT = TypeVar("HostT", WorkerHost, ClusterHost)


class Hosts(Protocol):
    """Give the host of a kind, which is made when it is first asked for."""

    def __call__(self, kind: type[HostT], /) -> HostT: ...


def make_worker(
    spec: WorkerSpec, hosts: Hosts, listener: WorkerListener, path: str
) -> FollowedWorker:
    """Make the worker that ``spec`` describes; it is still to be started.

    hosts: give what makes its process, where it has one. path: the actor's, for a thread's log.
    """
    if spec.placement is not None:
        return ClusterWorker(spec, spec.placement, hosts(ClusterHost), listener)
    if spec.run_in == "thread":
        return WorkerThread(spec, listener, path)
    return WorkerProcess(spec, hosts(WorkerHost), listener)
