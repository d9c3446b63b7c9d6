"""Load a model of transformers and its tokenizer, while its progress is told.

Imports torch and transformers: only a worker process imports this module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from transformers import AutoTokenizer

from failsoft.gpu.loading.model_source import ModelSource
from failsoft.gpu.loading.progress import watching_load


def load_pretrained(
    auto_class: Any,
    source: ModelSource,
    folder: str,
    check: Callable[[ModelSource, Any, dict[str, Any]], None],
    progress: Callable[[int, int], None],
    *,
    device: torch.device,
    dtype: torch.dtype | str,
    gguf_file: str | None = None,
) -> tuple[Any, Any]:
    """Give the model, in eval mode on its device, and its tokenizer. Progress is in bytes.

    The share of the tensors loaded stands for the share of the bytes. A hub id's size isn't
    known before it is fetched: its total is 0 until the end then.
    check: refuses what transformers lets pass; it gets the model and transformers' loading info.

    Raises ModelLoadingFailed.
    """
    total = source.weight_bytes()
    progress(0, total)
    options: dict[str, Any] = {"local_files_only": source.is_local}
    if gguf_file:
        options["gguf_file"] = gguf_file
    watching = watching_load(lambda done, tensors: progress(total * done // tensors, total))
    with source.loading("transformers model"), watching:
        tokenizer = AutoTokenizer.from_pretrained(folder, **options)
        model, info = auto_class.from_pretrained(
            folder,
            dtype=dtype,
            output_loading_info=True,
            **({} if device.type == "cpu" else {"device_map": str(device)}),
            **options,
        )
    check(source, model, info)
    model.eval()
    loaded = total or model.get_memory_footprint()
    progress(loaded, loaded)
    return model, tokenizer
