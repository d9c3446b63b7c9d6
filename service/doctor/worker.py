"""Workers: whether one can be made here, by trying it."""

from __future__ import annotations

import functools
import time

from failsoft.actors import ActorError, ModelActor, System
from failsoft.gpu import WorkerSpec
from failsoft.messages import GenerateText, InferenceError
from failsoft.service.doctor.finding import Finding, fail, ok

_REMEDY = (
    "It needs Linux 5.4 or newer, room for processes (ulimit -u) and memory; the log has more."
)


async def worker_starts(worker: WorkerSpec, limit: float = 60.0) -> Finding:
    """Have a worker process made, asked and ended. limit: seconds that it may take."""
    began = time.monotonic()
    trouble = ""
    try:
        async with System() as system:
            ref = await system.spawn(functools.partial(ModelActor, worker), "doctor")
            await ref.ask(GenerateText("How are you?"), timeout=limit)
    # What ends the system comes in a group with what was asked meanwhile.
    except* (ActorError, InferenceError, OSError) as errors:
        trouble = _first(errors)
    if trouble:
        return fail("workers", f"none can be made: {trouble}", _REMEDY)
    seconds = time.monotonic() - began
    preloaded = f", with {' and '.join(worker.preload)} imported" if worker.preload else ""
    return ok("workers", f"one was made{preloaded}, answered and ended in {seconds:.1f} s")


def _first(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error)
