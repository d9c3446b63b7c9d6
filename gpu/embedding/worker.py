"""Describe a worker with an embedding model."""

from __future__ import annotations

from os import PathLike
from typing import Any, Literal

from failsoft.gpu.placement import Placement
from failsoft.gpu.worker_spec import WorkerSpec
from failsoft.messages.embedding import Embed

# The same as a language model's: they share a template.
# transformers imports itself by need: without its last part, a worker would for seconds.
_PRELOAD = ("torch", "transformers", "transformers.modeling_utils")


def embedding_worker(
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
    """Describe a worker with the embedding model ``model``: a hub id or a folder.

    options: those of ``failsoft.gpu.embedding.engine.EmbeddingEngine``, such as ``batch_tokens``.
    For the others see ``text_worker``. It answers Embed. Raise ValueError where a value is out of
    range.
    """
    return WorkerSpec(
        engine="failsoft.gpu.embedding.engine:EmbeddingEngine",
        options={"model": str(model), **options},
        requests=(Embed,),
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
