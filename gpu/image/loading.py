"""Load a diffusion pipeline, with errors that say what to do.

Imports torch and diffusers: only a worker process imports this module.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
from collections.abc import Callable, Iterator
from typing import Any

import torch
from diffusers import DiffusionPipeline
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from failsoft.gpu.loading.model_source import DTYPES, ModelSource
from failsoft.gpu.loading.placing import place
from failsoft.gpu.tiny import is_embedded

_log = logging.getLogger(__name__)


def load_pipeline(
    source: ModelSource, variant: str | None, progress: Callable[[int, int], None]
) -> Any:
    """Give a text-to-image pipeline on its device. Progress is in bytes, 0 or all of them.

    variant: of the weights' files, such as ``fp16``. Raises ModelLoadingFailed.
    """
    folder = _located(source)
    device, dtype = place(source, functools.partial(_chosen_dtype, source), variant)
    total = source.weight_bytes(variant)
    progress(0, total)
    # Drawn for a terminal; in a worker they would be lines of its log.
    loggers: tuple[Any, ...] = (diffusers_logging, transformers_logging)  # untyped in part
    for logger in loggers:
        logger.disable_progress_bar()
    with source.loading("diffusers pipeline"), _quiet(is_embedded(source.model)):
        from_pretrained: Any = DiffusionPipeline.from_pretrained  # untyped
        pipeline = from_pretrained(
            folder, dtype=dtype, variant=variant, local_files_only=source.is_local
        )
        _check_loaded(source, pipeline)
        pipeline.to(device)
    pipeline.set_progress_bar_config(disable=True)
    loaded = total or parameter_bytes(pipeline)
    progress(loaded, loaded)
    return pipeline


def parameters(pipeline: Any) -> list[torch.nn.Parameter]:
    """Give the parameters of all models in ``pipeline``."""
    models = (part for part in pipeline.components.values() if isinstance(part, torch.nn.Module))
    return [parameter for model in models for parameter in model.parameters()]


def parameter_bytes(pipeline: Any) -> int:
    return sum(parameter.numel() * parameter.element_size() for parameter in parameters(pipeline))


@contextlib.contextmanager
def _quiet(is_known: bool) -> Iterator[None]:
    """Keep diffusers' warnings back where the pipeline is known: one of its parts is unusual."""
    level = diffusers_logging.get_verbosity()
    if is_known:
        diffusers_logging.set_verbosity_error()
    try:
        yield
    finally:
        diffusers_logging.set_verbosity(level)


def _chosen_dtype(source: ModelSource, device: torch.device) -> torch.dtype:
    """Give the dtype; ``auto`` is float32 on a CPU, else half of that.

    Of the two halves bfloat16 where the device has it: it has the range of float32, which the
    decoders of some models need.
    """
    if source.dtype != "auto":
        chosen = source.chosen_dtype(device)
        assert isinstance(chosen, torch.dtype)
        return chosen
    if device.type == "cpu":
        return torch.float32
    if device.type == "cuda" and not torch.cuda.is_bf16_supported():
        return DTYPES["float16"]
    return DTYPES["bfloat16"]


def _located(source: ModelSource) -> str:
    if not source.is_local:
        return source.model
    folder = source.folder()
    if not folder.is_dir():
        raise source.failure("there is no such folder; check the model's path")
    if not (folder / "model_index.json").is_file():
        raise source.failure(
            "its folder has no model_index.json, so it holds no diffusers pipeline"
        )
    return str(folder)


def _check_loaded(source: ModelSource, pipeline: Any) -> None:
    """Refuse what diffusers lets pass: weights left out, pipelines for another purpose."""
    source.check_whole(sum(parameter.is_meta for parameter in parameters(pipeline)))
    takes = inspect.signature(pipeline.__call__).parameters
    wanted = {name for name, p in takes.items() if p.default is p.empty and p.kind != p.VAR_KEYWORD}
    if (
        not {"prompt", "callback_on_step_end"} <= takes.keys()
        or wanted - {"prompt"}
        or (takes.keys() & {"image", "control_image"} and _is_from_images(pipeline))
    ):
        raise source.failure(
            f"a {type(pipeline).__name__} makes no images from text alone, step by step; "
            "use a text-to-image model"
        )


def _is_from_images(pipeline: Any) -> bool:
    """Tell whether the pipeline needs an image to begin with, which its signature doesn't say."""
    # Here, since it imports every pipeline that it names: 20 MiB, for a question seldom asked.
    from diffusers.pipelines import auto_pipeline

    mappings: Any = auto_pipeline
    others = {
        *mappings.AUTO_IMAGE2IMAGE_PIPELINES_MAPPING.values(),
        *mappings.AUTO_INPAINT_PIPELINES_MAPPING.values(),
    }
    return isinstance(
        pipeline, tuple(others - set(mappings.AUTO_TEXT2IMAGE_PIPELINES_MAPPING.values()))
    )
