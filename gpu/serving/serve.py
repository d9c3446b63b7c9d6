"""The life of a worker: load the engine, then answer requests until told to stop."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from socket import socket
from typing import Any, cast

import msgspec
import structlog

from failsoft.gpu.engine import BatchEngine, Batches, Engine
from failsoft.gpu.loading.import_failure import explain_import_failure
from failsoft.gpu.loading.reports import LoadReports, process_movement
from failsoft.gpu.memory.room import memory_guard_of
from failsoft.gpu.serving.answering import Answering, RequestReader
from failsoft.gpu.serving.classify import classify_load
from failsoft.gpu.serving.faults import Faults
from failsoft.gpu.serving.halving import Halving
from failsoft.gpu.serving.inbox import Inbox
from failsoft.gpu.serving.pulse import Pulse
from failsoft.gpu.serving.turns import Turns
from failsoft.gpu.serving.wire_end import WireEnd
from failsoft.messages.errors import ModelLoadingFailed
from failsoft.messages.frames import (
    WIRE_VERSION,
    Cancel,
    Hello,
    Inject,
    Load,
    LoadFailed,
    Ready,
    Run,
    Stop,
    Warming,
)

_log = structlog.get_logger("failsoft.worker")
# The exit status of a worker whose device can't be used any more.
_DEVICE_BROKEN = 3
_PARTS = ("requests", "load", "unload")
_BATCH_PARTS = ("begin", "step", "drop")
_THREAD_COUNTS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def serve(end: socket) -> int:
    """Serve the service at the other end of ``end``; give the exit status."""
    return Worker(end, os.getpid()).run()


class Worker:
    """Run one engine. The thread that calls ``run`` does its work; a second reads, a third beats.

    It has a process to itself; see ``ThreadWorker`` for one that hasn't.
    """

    def __init__(
        self, end: socket, pid: int, movement: Callable[[], int] = process_movement
    ) -> None:
        self._pid = pid
        self._wire = WireEnd(end, lambda: self.leave(1))
        self._inbox = Inbox(self._wire.send)
        self._reports = LoadReports(self._wire.send, movement)
        self._pulse = Pulse(self._wire.send)
        self._pulse.before_beat = self._reports.notice_movement
        self._commands = threading.Thread(target=self._read, name="commands", daemon=True)
        self._load: SimpleQueue[Load | None] = SimpleQueue()
        self._faults = Faults(is_allowed=False)
        self._is_ready = False

    def run(self) -> int:
        """Load and serve; give the exit status."""
        self._wire.send(Hello(WIRE_VERSION, self._pid, _versions()))
        self._commands.start()
        load = self._load.get()
        if load is None:
            return 0
        pulse, reports = self._pulse, self._reports
        pulse.start(load.heartbeat_every)
        try:
            engine = _make_engine(load)
            info = self.load(engine, reports.progress)
            reader = RequestReader(engine.requests)
            batches = _in_batches(engine)
            pulse.device_memory = getattr(engine, "device_memory", pulse.device_memory)
            reports.finish()
            self._warm_up(engine)
            self._is_ready = True
            self._wire.send(Ready({**info, "max_batch": batches.max_batch}))
        # Whatever an engine raises, the service is told why; cancellation can't come from it.
        except (Exception, SystemExit) as error:
            reports.finish()
            return self._fail_to_load(load, error)
        memory = memory_guard_of(engine)
        answering = Answering(batches, reader, self._inbox, self._wire, pulse, self._faults, memory)
        try:
            return 0 if answering.run() else _DEVICE_BROKEN
        finally:
            pulse.end()
            _unload(engine)

    def load(
        self, engine: Engine | BatchEngine, progress: Callable[[int, int], None]
    ) -> dict[str, Any]:
        """Have ``engine`` load; give what it says of itself."""
        return engine.load(progress)

    def leave(self, status: int) -> None:
        """End now: nobody is there to hear of it. Called by any thread."""
        os._exit(status)

    def _warm_up(self, engine: Engine | BatchEngine) -> None:
        warm_up = getattr(engine, "warm_up", None)
        if warm_up is not None:
            self._wire.send(Warming())
            warm_up()

    def _fail_to_load(self, load: Load, error: BaseException) -> int:
        _log.warning("the engine could not be loaded", engine=load.engine, exc_info=error)
        self._wire.send(LoadFailed(classify_load(error, load.engine).info))
        return 1

    def _read(self) -> None:
        """Take commands until the service is gone; then this worker is of no use."""
        for command in self._wire.commands():
            match command:
                case Run():
                    self._inbox.put(command)
                case Cancel(id):
                    self._inbox.cancel(id)
                case Load():
                    self._faults = self._faults_of(command)
                    self._load.put(command)
                case Inject():
                    self._faults.inject(command)
                case Stop():
                    self._stop()
        self.leave(1)

    def _faults_of(self, load: Load) -> Faults:
        return Faults(is_allowed=load.fault_hooks)

    def _stop(self) -> None:
        # A load can't be told to end, and nobody waits for it any more.
        if not self._is_ready:
            self.leave(0)
        self._inbox.stop()


def _in_batches(engine: Engine | BatchEngine) -> Batches:
    """Give the engine in the form that takes several requests at once."""
    if hasattr(engine, "generate"):
        return Turns(cast(Engine, engine))
    return cast(Batches, engine) if hasattr(engine, "recover") else Halving(engine)


def _make_engine(load: Load) -> Engine | BatchEngine:
    """Give the engine that ``load`` names. Raises ModelLoadingFailed where there is none."""
    _set_threads(load.threads)
    module_name, _, name = load.engine.partition(":")
    try:
        made: Any = importlib.import_module(module_name)
    except ImportError as error:
        raise ModelLoadingFailed(explain_import_failure(module_name, error)) from error
    for part in name.split("."):
        made = getattr(made, part, None)
    if made is None:
        raise ModelLoadingFailed(f"The module '{module_name}' has no engine '{name}'.")
    if not _is_engine(made):
        raise ModelLoadingFailed(
            f"'{load.engine}' is no engine: one has {', '.join(_PARTS)}, "
            f"and either generate, or {', '.join(_BATCH_PARTS)}."
        )
    try:
        engine: Engine | BatchEngine = made(**load.options)
    except (TypeError, msgspec.ValidationError) as error:
        said = f"The engine '{load.engine}' could not be made, its options do not fit: {error}"
        raise ModelLoadingFailed(said) from error
    return engine


def _is_engine(made: Any) -> bool:
    def has(*parts: str) -> bool:
        return all(hasattr(made, part) for part in parts)

    return has(*_PARTS) and (has("generate") or has(*_BATCH_PARTS))


def _set_threads(threads: int | None) -> None:
    """Have torch compute with ``threads`` threads, now or when it is imported."""
    if threads is None:
        return
    for name in _THREAD_COUNTS:
        os.environ[name] = str(threads)
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)


def _unload(engine: Engine | BatchEngine) -> None:
    try:
        engine.unload()
    except Exception as error:
        _log.warning("unloading failed", exc_info=error)


def _versions() -> dict[str, str]:
    versions = {"python": sys.version.partition(" ")[0]}
    for name in ("torch", "transformers", "diffusers"):
        if name in sys.modules:
            versions[name] = str(getattr(sys.modules[name], "__version__", "?"))
    return versions
