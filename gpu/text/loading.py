"""Load a language model and its tokenizer, with errors that say what to do."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from transformers import AutoModelForCausalLM

from failsoft.gpu.loading.model_source import ModelSource
from failsoft.gpu.loading.placing import place
from failsoft.gpu.loading.pretrained import load_pretrained


def load_text_model(source: ModelSource, progress: Callable[[int, int], None]) -> tuple[Any, Any]:
    """Give the model, in eval mode on its device, and its tokenizer. Progress is in bytes.

    Raises ModelLoadingFailed.
    """
    folder, gguf_file = source.located()
    device, dtype = place(source, source.chosen_dtype)
    return load_pretrained(
        AutoModelForCausalLM,
        source,
        folder,
        _check_loaded,
        progress,
        device=device,
        dtype=dtype,
        gguf_file=gguf_file,
    )


def _check_loaded(source: ModelSource, model: Any, info: dict[str, Any]) -> None:
    """Refuse what transformers lets pass: weights made up at random, models without a KV cache."""
    source.check_whole(len(info.get("missing_keys") or ()))
    if "past_key_values" not in inspect.signature(model.forward).parameters:
        raise source.failure(
            f"models of type '{model.config.model_type}' keep no key-value cache, "
            "which this engine needs; use another model"
        )
