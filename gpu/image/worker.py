"""Describe a worker with a diffusion model."""

from __future__ import annotations

from os import PathLike
from typing import Any, Literal

from failsoft.gpu.placement import Placement
from failsoft.gpu.worker_spec import WorkerSpec
from failsoft.messages.image import GenerateImage

# diffusers imports itself by need, as transformers does: without its last part, a worker would.
_PRELOAD = ("torch", "transformers", "diffusers", "diffusers.pipelines.pipeline_utils")


def image_worker(
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
    """Describe a worker with the text-to-image model ``model``: a hub id or a folder.

    hang_limit: seconds that a step after the first may take, and the decoding after the last;
        None has it learned.
    first_step_limit: the same of the first one, which reads the prompt, too. A device that takes
        more than five minutes for it needs it set.
    options: those of ``failsoft.gpu.image.engine.ImageEngine``, such as ``dtype`` and ``device``.
    For the others see ``text_worker``. It answers GenerateImage. Raise ValueError where a value is
    out of range.
    """
    return WorkerSpec(
        engine="failsoft.gpu.image.engine:ImageEngine",
        options={"model": str(model), **options},
        requests=(GenerateImage,),
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
