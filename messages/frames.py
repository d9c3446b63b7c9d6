"""The frames between the service and a worker process: commands go down, reports come up.

Requests, replies and chunks ride along as ready-made msgpack (``Raw``): the frame's reader
decodes them with the types that the request names, so engines may bring their own.
"""

from __future__ import annotations

from typing import Any

import msgspec

from failsoft.messages.errors import ErrorInfo

WIRE_VERSION = 4


class Frame(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Be the base of frames."""


class Load(Frame, frozen=True):
    """Tell the worker which engine to load: ``module:Class`` and its options."""

    engine: str
    options: dict[str, Any]
    threads: int | None = None
    heartbeat_every: float = 0.5
    fault_hooks: bool = False


class Run(Frame, frozen=True):
    """Give the worker a request. ``deadline`` is on the monotonic clock, which processes share.

    is_timed: a ``Timed`` is wanted before its end.
    """

    id: int
    request: msgspec.Raw
    stream: bool
    deadline: float | None = None
    correlation_id: str | None = None
    is_timed: bool = False


class Cancel(Frame, frozen=True):
    """Stop working on a request, within one step."""

    id: int


class Inject(Frame, frozen=True):
    """Make a fault happen in the worker; heeded only where ``Load.fault_hooks`` is set.

    fault: ``oom`` (an out-of-memory error at step ``after_steps`` of the next request).
    """

    fault: str
    after_steps: int = 0


class Stop(Frame, frozen=True):
    """End the worker once the request in hand is done."""


Command = Load | Run | Cancel | Inject | Stop


class Hello(Frame, frozen=True):
    """Be the worker's first frame: who it is and which versions it speaks."""

    wire_version: int
    pid: int
    versions: dict[str, str]


class Loading(Frame, frozen=True):
    """Report how far the load is, in bytes (``total`` 0 where it isn't known)."""

    done: int
    total: int


class Warming(Frame, frozen=True):
    """Report that the model is loaded, and makes its first step before anybody asks for one."""


class Ready(Frame, frozen=True):
    """Report that the engine can take requests; ``info`` is what it says of itself."""

    info: dict[str, Any]


class LoadFailed(Frame, frozen=True):
    """Report that the engine could not be loaded. The worker exits after it."""

    error: ErrorInfo


class Heartbeat(Frame, frozen=True):
    """Report life, from a thread of its own. ``steps`` only ever grows: it is progress.

    shown: those of ``running`` that have shown something, be it only here.
    device_bytes: held by this process. device_used_bytes, device_total_bytes: of the device, by
    whomever; 0 where there is none.
    """

    at: float
    steps: int
    running: tuple[int, ...]
    rss_bytes: int
    device_bytes: int = 0
    device_used_bytes: int = 0
    device_total_bytes: int = 0
    shown: tuple[int, ...] = ()


class Began(Frame, frozen=True):
    """Report that the engine is given a request now. Sent before anything is done for it."""

    id: int


class Chunk(Frame, frozen=True):
    """Carry one chunk of a streamed reply."""

    id: int
    chunk: msgspec.Raw


class Timed(Frame, frozen=True):
    """Report when a request came, was begun, showed something first, and ended.

    On the monotonic clock; None for what was never so. most_at_once: in its batch.
    """

    id: int
    arrived: float
    began: float | None
    shown: float | None
    ended: float
    most_at_once: int


class Done(Frame, frozen=True):
    """End a request well. ``reply`` is nil for a stream."""

    id: int
    reply: msgspec.Raw


class Failed(Frame, frozen=True):
    """End a request with an error. ``sticky``: the device is unusable until the process ends."""

    id: int
    error: ErrorInfo
    sticky: bool = False


Report = (
    Hello
    | Loading
    | Warming
    | Ready
    | LoadFailed
    | Heartbeat
    | Began
    | Chunk
    | Timed
    | Done
    | Failed
)
