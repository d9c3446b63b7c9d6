"""What a worker process is to run, and how long it may keep silent."""

from __future__ import annotations

from typing import Any

import msgspec

_MAX_OPTIONS_BYTES = 1024 * 1024
_encoder = msgspec.msgpack.Encoder()


class WorkerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Describe a worker process. Times are in seconds.

    engine: the class that does the work, as ``module:Class``; see ``Engine``.
    options: keyword arguments for the class: plain data, since they travel to the process.
    preload: modules that the template process imports beforehand, such as ``torch``, so that
        a new worker costs no import. Workers with the same modules share a template.
    threads: how many threads torch computes with; None leaves it to torch.
    heartbeat_every: time between signs of life.
    heartbeat_limit: a worker that is ready and gives no sign of life for so long is hung.
    hang_limit: a worker that makes no step for so long, with a request in hand, is hung.
    load_hang_limit: a worker whose load doesn't move for so long is hung; the making of the
        process and the imports count as part of it.
    stop_grace: how long the request in hand may take to end after ``stop()``.
    fault_hooks: whether ``Inject`` is heeded.

    Raises ValueError where a field makes no sense.
    """

    engine: str
    options: dict[str, Any] = {}
    preload: tuple[str, ...] = ()
    threads: int | None = None
    heartbeat_every: float = 0.5
    heartbeat_limit: float = 5.0
    hang_limit: float = 30.0
    load_hang_limit: float = 120.0
    stop_grace: float = 5.0
    fault_hooks: bool = False

    def __post_init__(self) -> None:
        module, _, name = self.engine.partition(":")
        if not _is_dotted(module) or not _is_dotted(name):
            raise ValueError(f"engine must be 'module:Class'; it is '{self.engine}'")
        for preloaded in self.preload:
            if not _is_dotted(preloaded):
                raise ValueError(f"preload must name modules; '{preloaded}' is no module's name")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads must be at least 1; it is {self.threads}")
        self._check_times()
        try:
            size = len(_encoder.encode(self.options))
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise ValueError(f"options must be plain data: {error}") from error
        if size > _MAX_OPTIONS_BYTES:
            raise ValueError(f"options must have {_MAX_OPTIONS_BYTES} bytes at most, not {size}")

    def _check_times(self) -> None:
        for field in ("heartbeat_every", "heartbeat_limit", "hang_limit", "load_hang_limit"):
            if not getattr(self, field) > 0:
                raise ValueError(f"{field} must be over 0 s; it is {getattr(self, field)}")
        if not self.stop_grace >= 0:
            raise ValueError(f"stop_grace must be at least 0 s; it is {self.stop_grace}")
        for field in ("heartbeat_limit", "hang_limit"):
            if getattr(self, field) < 2 * self.heartbeat_every:
                raise ValueError(
                    f"{field} ({getattr(self, field)} s) must be at least twice heartbeat_every "
                    f"({self.heartbeat_every} s), or a healthy worker counts as hung"
                )


def _is_dotted(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))
