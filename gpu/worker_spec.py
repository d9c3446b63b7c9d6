"""What a worker is to run, and how long it may keep silent."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from failsoft.gpu.placement import Placement
from failsoft.messages.request import GenerateText, Request

_MAX_OPTIONS_BYTES = 1024 * 1024
_encoder = msgspec.msgpack.Encoder()


class WorkerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Describe a worker. Times are in seconds.

    engine: the class that does the work, as ``module:Class``; see ``Engine``.
    options: keyword arguments for the class: plain data, since they travel to the process.
    requests: the types of request that the engine answers.
    at_once: requests that the engine works on together, where that is known before it is loaded: a
        router begins with so many at a time.
    run_in: ``process``, or ``thread`` for a small engine that needs no process of its own: it
        starts at once, but can't be killed, only abandoned; see docs/engines.md.
    placement: where its process runs, when that isn't beside the service: on a Ray cluster; see
        docs/cluster.md. It isn't forked from a template there.
    preload: modules that the template process imports beforehand, such as ``torch``, so that
        a new worker costs no import. Workers with the same modules share a template. A thread
        has none.
    threads: how many threads torch computes with; None leaves it to torch. Not for a thread:
        torch has one such number for the whole process, which is the service's to set.
    heartbeat_every: time between signs of life.
    heartbeat_limit: a worker that is ready and gives no sign of life for so long is hung.
    hang_limit: a worker that makes no step for so long, with requests in hand that have all shown
        something (a token, a step of an image), is hung.
    first_step_limit: the same while one of them has shown nothing yet: the reading of a long
        prompt takes longer than a token does.
        Of both, None has it learned from the steps that this process has made: see ``Liveness``.
    load_hang_limit: a worker whose load doesn't move for so long is hung; the making of the
        process and the imports count as part of it.
    stop_grace: how long the request in hand may take to end after ``stop()``.
    term_grace: how long the process may take to end after SIGTERM, before SIGKILL; and how long
        a thread may take that was told to leave, before it is abandoned.
    most_abandoned: while so many threads of this process are abandoned and have not ended, no
        other is started: each may hold a model.
    fault_hooks: whether ``Inject`` is heeded.

    Raises ValueError where a field makes no sense.
    """

    engine: str
    options: dict[str, Any] = {}
    requests: tuple[type[Request[Any]], ...] = (GenerateText,)
    at_once: int | None = None
    run_in: Literal["process", "thread"] = "process"
    placement: Placement | None = None
    preload: tuple[str, ...] = ()
    threads: int | None = None
    heartbeat_every: float = 0.5
    heartbeat_limit: float = 5.0
    hang_limit: float | None = None
    first_step_limit: float | None = None
    load_hang_limit: float = 120.0
    stop_grace: float = 5.0
    term_grace: float = 1.0
    most_abandoned: int = 3
    fault_hooks: bool = False

    def __post_init__(self) -> None:
        module, _, name = self.engine.partition(":")
        if not _is_dotted(module) or not _is_dotted(name):
            raise ValueError(f"engine must be 'module:Class'; it is '{self.engine}'")
        for preloaded in self.preload:
            if not _is_dotted(preloaded):
                raise ValueError(f"preload must name modules; '{preloaded}' is no module's name")
        for field in ("threads", "at_once"):
            number = getattr(self, field)
            if number is not None and number < 1:
                raise ValueError(f"{field} must be at least 1; it is {number}")
        self._check_place()
        self._check_times()
        try:
            size = len(_encoder.encode(self.options))
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise ValueError(f"options must be plain data: {error}") from error
        if size > _MAX_OPTIONS_BYTES:
            raise ValueError(f"options must have {_MAX_OPTIONS_BYTES} bytes at most, not {size}")

    def _check_place(self) -> None:
        if self.run_in not in ("process", "thread"):
            raise ValueError(f"run_in must be 'process' or 'thread'; it is {self.run_in!r}")
        if self.run_in == "thread" and self.threads is not None:
            raise ValueError(
                "threads can't be set with run_in='thread': torch has one number of threads for "
                "the whole process; set it where the service starts, or use run_in='process'"
            )
        if self.placement is not None and self.run_in != "process":
            raise ValueError(
                "a worker that is placed elsewhere runs in a process: run_in='process'"
            )
        if self.most_abandoned < 1:
            raise ValueError(f"most_abandoned must be at least 1; it is {self.most_abandoned}")

    def _check_times(self) -> None:
        learned = ("hang_limit", "first_step_limit")
        for field in ("heartbeat_every", "heartbeat_limit", *learned, "load_hang_limit"):
            seconds = getattr(self, field)
            if not (seconds is None and field in learned) and not seconds > 0:
                raise ValueError(f"{field} must be over 0 s; it is {seconds}")
        for field in ("stop_grace", "term_grace"):
            if not getattr(self, field) >= 0:
                raise ValueError(f"{field} must be at least 0 s; it is {getattr(self, field)}")
        for field in ("heartbeat_limit", *learned):
            seconds = getattr(self, field)
            if seconds is not None and seconds < 2 * self.heartbeat_every:
                raise ValueError(
                    f"{field} ({seconds} s) must be at least twice heartbeat_every "
                    f"({self.heartbeat_every} s), or a healthy worker counts as hung"
                )


def _is_dotted(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))
