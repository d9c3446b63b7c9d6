"""Load a language model and its tokenizer, with errors that say what to do."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from transformers import AutoModelForCausalLM, AutoTokenizer

from failsoft.gpu.load_progress import watching_load
from failsoft.gpu.model_source import ModelSource

_WEIGHT_PATTERNS = ("*.safetensors", "*.bin")


def load_text_model(source: ModelSource, progress: Callable[[int, int], None]) -> tuple[Any, Any]:
    """Give the model, in eval mode on its device, and its tokenizer. Progress is in bytes.

    The share of the tensors loaded stands for the share of the bytes. A hub id's size isn't
    known before it is fetched: its total is 0 until the end.

    Raises ModelLoadingFailed.
    """
    device = source.chosen_device()
    dtype = source.chosen_dtype(device)
    folder, gguf_file = source.located()
    total = source.weight_bytes(folder, *((gguf_file,) if gguf_file else _WEIGHT_PATTERNS))
    progress(0, total)
    options: dict[str, Any] = {"local_files_only": source.is_local}
    if gguf_file:
        options["gguf_file"] = gguf_file
    watching = watching_load(lambda done, tensors: progress(total * done // tensors, total))
    with source.loading("transformers model"), watching:
        tokenizer = AutoTokenizer.from_pretrained(folder, **options)
        # Typed as one model, but with output_loading_info it gives two things.
        from_pretrained: Any = AutoModelForCausalLM.from_pretrained
        model, info = from_pretrained(
            folder,
            dtype=dtype,
            output_loading_info=True,
            **({} if device.type == "cpu" else {"device_map": str(device)}),
            **options,
        )
    _check_loaded(source, model, info)
    model.eval()
    loaded = total or model.get_memory_footprint()
    progress(loaded, loaded)
    return model, tokenizer


def _check_loaded(source: ModelSource, model: Any, info: dict[str, Any]) -> None:
    """Refuse what transformers lets pass: weights made up at random, models without a KV cache."""
    missing = info.get("missing_keys")
    if missing:
        raise source.failure(
            f"its weights are not whole ({len(missing)} tensors are missing); fetch it again"
        )
    if "past_key_values" not in inspect.signature(model.forward).parameters:
        raise source.failure(
            f"models of type '{model.config.model_type}' keep no key-value cache, "
            "which this engine needs; use another model"
        )
