"""Describe a worker process with a diffusion model."""

from __future__ import annotations

from os import PathLike
from typing import Any

from failsoft.gpu.worker_spec import WorkerSpec

_PRELOAD = ("torch", "transformers", "diffusers")


def image_worker(
    model: str | PathLike[str],
    *,
    threads: int | None = None,
    heartbeat_limit: float = 5.0,
    hang_limit: float = 60.0,
    fault_hooks: bool = False,
    **options: Any,
) -> WorkerSpec:
    """Describe a worker with the text-to-image model ``model``: a hub id or a folder.

    hang_limit: seconds that one step may take, and the decoding after the last one.
    options: those of ``failsoft.gpu.image.ImageEngine``, such as ``dtype`` and ``device``.
    For the others see ``text_worker``. The actor is ``ModelActor(image_worker(…),
    requests=(GenerateImage,))``. Raise ValueError where a value is out of range.
    """
    return WorkerSpec(
        engine="failsoft.gpu.image:ImageEngine",
        options={"model": str(model), **options},
        preload=_PRELOAD,
        threads=threads,
        heartbeat_limit=heartbeat_limit,
        hang_limit=hang_limit,
        fault_hooks=fault_hooks,
    )
