"""The demo's faults: each comes at a point tied to progress, and its traces are taken down."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import msgspec

from failsoft.actors import System, TreeNode
from failsoft.messages import InjectFault
from failsoft.messages.events import (
    ChildRestarted,
    Event,
    FellBack,
    GenerationCancelled,
    ModelStateChanged,
    RequestFinished,
    RestartScheduled,
    WorkerEnded,
    WorkerHung,
    WorkerReady,
)
from failsoft.service.demo_requests import CHUNKS_BEFORE_FAULT, DemoRequest, FaultKind

OOM_AFTER_STEPS = 3
_IN_MIDST = ("kill", "hang", "cancel")


class FaultRecord(msgspec.Struct):
    """Tell what became of a fault. Times are in seconds; ``at`` from the demo's start.

    when: the point of progress. seen_by: the first event that shows it. done: what followed.
    next_answer_seconds: from the fault to the next whole answer of any request.
    """

    fault: FaultKind
    request: int
    when: str
    at: float
    seen_by: str = ""
    done: list[str] = msgspec.field(default_factory=list)
    next_answer_seconds: float | None = None


class Faults:
    """Make faults happen to the primary, and watch what the tree does about them.

    kill: ends the worker with the given process id, or the machine that it is on.
    """

    def __init__(
        self,
        system: System,
        primary: str,
        tell: Callable[[str], None],
        kill: Callable[[int], None],
    ) -> None:
        self._system = system
        self._primary = primary
        self._tell = tell
        self._kill = kill
        self._began_at = system.clock.now()
        # Of the primary's, the one that took the request that a fault is to come to.
        self._taken_by: str | None = None
        self.records: list[FaultRecord] = []

    # -- points of progress

    def at_send(self, request: DemoRequest) -> None:
        """Come to the point right before ``request`` is sent."""
        if request.fault in _IN_MIDST:
            self._taken_by = None
        elif request.fault == "oom":
            self._record(request, f"the sending of request {request.number}")
            for node in self._workers():
                primary = self._system.find(node.path)
                assert primary is not None
                primary.tell(InjectFault("oom", OOM_AFTER_STEPS))
                # Once is answered with less, by the primary itself.
                primary.tell(InjectFault("oom"))
        elif request.fault == "caller_fault":
            self._record(request, f"request {request.number}, whose prompt is too long")

    def at_chunk(self, request: DemoRequest, chunks: int) -> bool:
        """Come to the point where ``request`` has given ``chunks``; True: its reader leaves."""
        if chunks != CHUNKS_BEFORE_FAULT or request.fault not in _IN_MIDST:
            return False
        self._record(request, f"chunk {chunks} of request {request.number}")
        if request.fault == "cancel":
            return True
        pid = self._worker_with_it()
        if request.fault == "kill":
            self._kill(pid)
        else:
            os.kill(pid, signal.SIGSTOP)
        return False

    def at_answer(self) -> None:
        """Come to the point where some request has its whole answer."""
        now = self._system.clock.now()
        for record in self.records:
            if record.next_answer_seconds is None and record.fault in ("kill", "hang"):
                record.next_answer_seconds = now - self._began_at - record.at

    def at_error(self, request: DemoRequest, kind: str) -> None:
        """Come to the point where ``request`` was refused."""
        for record in self.records:
            if record.request == request.number and record.fault == "caller_fault":
                record.seen_by = record.seen_by or f"the caller: {kind}"
                record.done.append("answered with the error; nothing was restarted")

    # -- traces

    def hear(self, event: Event) -> None:
        """Take down an event, where it belongs to the last fault."""
        if self._taken_by is None and isinstance(event, ModelStateChanged):
            self._heed_primary(event)
        if not self.records:
            return
        record = self.records[-1]
        words = self._words(record, event)
        if words is None:
            return
        if not record.seen_by:
            record.seen_by = words
        elif words not in record.done:
            record.done.append(words)

    def _words(self, record: FaultRecord, event: Event) -> str | None:
        match event:
            case WorkerHung(reason=reason) if record.fault == "hang":
                return f"watchdog: {reason}; worker killed"
            case WorkerEnded(reason=reason, asked=False) if record.fault == "kill":
                return f"worker's end: {reason}"
            case FellBack(model=model, cause=cause) if record.fault in ("kill", "hang", "oom"):
                return f"requests went past {model} ({cause})"
            case RequestFinished(outcome="ok", was_fallback=True) if record.seen_by:
                return f"answered by {event.model_used} instead"
            case RestartScheduled(delay=delay) if record.seen_by:
                return f"restart in {delay:.2f} s"
            case ChildRestarted() if record.seen_by:
                return "actor restarted"
            case WorkerReady(seconds=seconds) if record.seen_by:
                return f"model ready again {seconds:.2f} s after its process was asked for"
            case RequestFinished(outcome="cancelled") if record.fault == "cancel":
                return "router: the caller is gone; its generation was cancelled"
            case GenerationCancelled(seconds=seconds) if record.fault == "cancel":
                return f"its worker stopped {seconds:.3f} s later, at the next token"
            case _:
                return None

    def _record(self, request: DemoRequest, when: str) -> None:
        assert request.fault is not None
        at = self._system.clock.now() - self._began_at
        self.records.append(FaultRecord(request.fault, request.number, when, at))
        self._tell(f"fault: {request.fault} at {when}")

    def _heed_primary(self, event: ModelStateChanged) -> None:
        """See who takes the request: it is sent before others, when all are at rest."""
        if event.after == "busy" and self._is_ours(event.path):
            self._taken_by = event.path

    def _worker_with_it(self) -> int:
        """Give the process id of the worker that has the fault's request in hand."""
        for node in self._workers():
            if node.path == self._taken_by and node.shows["running"]:
                return int(node.shows["pid"])
        raise RuntimeError(f"{self._primary} has no worker at work")

    def _workers(self) -> list[TreeNode]:
        """Give the primary where it has a worker, or its replicas."""
        whole = [node for top in self._system.tree() for node in top.walk()]
        return [node for node in whole if self._is_ours(node.path) and node.shows.get("pid")]

    def _is_ours(self, path: str) -> bool:
        return f"{path}/".startswith(f"{self._primary}/")
