"""Describe a worker with a language model: the spec that most trees are made of."""

from __future__ import annotations

from os import PathLike
from typing import Any, Literal

from failsoft.gpu.placement import Placement
from failsoft.gpu.worker_spec import WorkerSpec

# transformers imports itself by need: without its last part, a worker would for seconds.
_PRELOAD = ("torch", "transformers", "transformers.modeling_utils")

# Texts that are worked on together, where nothing else is said.
MAX_BATCH = 16


def text_worker(
    model: str | PathLike[str],
    *,
    run_in: Literal["process", "thread"] = "process",
    placement: Placement | None = None,
    threads: int | None = None,
    heartbeat_every: float = 0.5,
    heartbeat_limit: float = 5.0,
    hang_limit: float | None = None,
    first_step_limit: float | None = None,
    fault_hooks: bool = False,
    **options: Any,
) -> WorkerSpec:
    """Describe a worker with the language model ``model``: a hub id, a folder or a GGUF file.

    ``failsoft:tiny-text`` is one that lies in the package, and is always there.

    run_in, placement: see ``WorkerSpec``.
    threads: of torch, in the worker; None leaves torch's own choice, which is right for one
        worker on a machine and wrong for two.
    heartbeat_every, heartbeat_limit, hang_limit, first_step_limit: seconds; see ``WorkerSpec``. The
        first step is the reading of the prompt, or a part of it; those after make a token each.
    options: those of ``failsoft.gpu.text.engine.TextEngine``, such as ``dtype`` and ``device``.
    Raise ValueError where a value is out of range.
    """
    max_batch = options.get("max_batch", MAX_BATCH)
    return WorkerSpec(
        engine="failsoft.gpu.text.engine:TextEngine",
        options={"model": str(model), **options},
        # What can't be is told by the engine, when it loads.
        at_once=max_batch if isinstance(max_batch, int) and max_batch > 0 else None,
        run_in=run_in,
        placement=placement,
        preload=_PRELOAD,
        threads=threads,
        heartbeat_every=heartbeat_every,
        heartbeat_limit=heartbeat_limit,
        hang_limit=hang_limit,
        first_step_limit=first_step_limit,
        fault_hooks=fault_hooks,
    )
