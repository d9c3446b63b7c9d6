"""The readiness of a model actor, as a state machine, and the numbers it shows."""

from __future__ import annotations

import enum

import msgspec

from failsoft.messages.frames import Heartbeat


class WorkerNumbers(msgspec.Struct):
    """Count what a worker has told: of its load, its steps, and its memory."""

    loaded_bytes: int = 0
    total_bytes: int = 0
    steps: int = 0
    rss_bytes: int = 0
    device_bytes: int = 0
    device_used_bytes: int = 0
    device_total_bytes: int = 0

    def heed(self, beat: Heartbeat) -> None:
        """Take over what a heartbeat tells."""
        self.steps = beat.steps
        self.rss_bytes = beat.rss_bytes
        self.device_bytes = beat.device_bytes
        self.device_used_bytes = beat.device_used_bytes
        self.device_total_bytes = beat.device_total_bytes


class ModelState(enum.Enum):
    """Name where a model actor stands.

    starting: its worker process is being made. loading: the worker reads the weights.
    warming: it makes a first step that nobody asked for. ready: it waits for requests.
    busy: it works on some. draining: it finishes what it has, then its worker ends; a new one
    follows where only the worker was to be replaced. failed: its worker is lost, or could not
    load; the actor ends.
    """

    STARTING = "starting"
    LOADING = "loading"
    WARMING = "warming"
    READY = "ready"
    BUSY = "busy"
    DRAINING = "draining"
    FAILED = "failed"

    # Enum's own is a call in Python, and there are several to each request.
    __hash__ = object.__hash__

    @property
    def takes_work(self) -> bool:
        """Tell whether requests go to the worker."""
        return self is ModelState.READY or self is ModelState.BUSY

    @property
    def may_become(self) -> frozenset[ModelState]:
        """Give the states that may follow."""
        return _NEXT[self]


_ENDS = frozenset({ModelState.DRAINING, ModelState.FAILED})
_NEXT: dict[ModelState, frozenset[ModelState]] = {
    # A spare that follows a worker that was replaced may be as far as that.
    ModelState.STARTING: _ENDS | {ModelState.LOADING, ModelState.WARMING, ModelState.READY},
    ModelState.LOADING: _ENDS | {ModelState.WARMING, ModelState.READY},
    ModelState.WARMING: _ENDS | {ModelState.READY},
    ModelState.READY: _ENDS | {ModelState.BUSY},
    ModelState.BUSY: _ENDS | {ModelState.READY},
    ModelState.DRAINING: frozenset({ModelState.FAILED, ModelState.STARTING, ModelState.READY}),
    ModelState.FAILED: frozenset(),
}
