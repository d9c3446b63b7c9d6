"""Load an encoder and its tokenizer, with errors that say what to do.

Imports torch and transformers: only a worker process imports this module.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import AutoModel

from failsoft.gpu.loading.model_source import ModelSource
from failsoft.gpu.loading.placing import place
from failsoft.gpu.loading.pretrained import load_pretrained

# Tokenizers that know no length say so with a huge one.
_NO_LENGTH_FROM = 1_000_000


def load_encoder(source: ModelSource, progress: Callable[[int, int], None]) -> tuple[Any, Any]:
    """Give the model, in eval mode on its device, and its tokenizer. Progress is in bytes.

    Raises ModelLoadingFailed.
    """
    folder, _ = source.located()
    _check_recipe(source, Path(folder))
    device, dtype = place(source, source.chosen_dtype)
    return load_pretrained(
        AutoModel, source, folder, _check_loaded, progress, device=device, dtype=dtype
    )


def own_length(model: Any, tokenizer: Any) -> int:
    """Give the most tokens that the model reads; sys.maxsize where it doesn't say."""
    lengths = [getattr(model.config, "max_position_embeddings", None), tokenizer.model_max_length]
    table: Any = getattr(getattr(model, "embeddings", None), "position_embeddings", None)
    if table is not None and getattr(table, "padding_idx", None) is not None:
        # RoBERTa and its kin count positions from the one after the padding's.
        lengths.append(table.num_embeddings - table.padding_idx - 1)
    known = [n for n in lengths if isinstance(n, int) and 0 < n < _NO_LENGTH_FROM]
    return min(known, default=sys.maxsize)


def _check_recipe(source: ModelSource, folder: Path) -> None:
    """Refuse a sentence-transformers folder that makes its vectors in another way than here."""
    pooling = _json(folder / "1_Pooling" / "config.json", {})
    is_mean = pooling.get("pooling_mode_mean_tokens", pooling.get("pooling_mode", "mean") == "mean")
    if not is_mean:
        raise source.failure("its vectors are not means over the tokens; use another model")
    kinds = [str(module.get("type", "")) for module in _json(folder / "modules.json", [])]
    if any(kind.endswith(".Dense") for kind in kinds):
        raise source.failure("it has a layer after the pooling, which is not read here")


def _json(path: Path, default: Any) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return default


def _check_loaded(source: ModelSource, model: Any, info: dict[str, Any]) -> None:
    """Refuse what transformers lets pass: weights made up at random, models of another kind."""
    # The pooler is for classifiers; many encoders come without.
    missing = [key for key in info.get("missing_keys", ()) if not key.startswith("pooler.")]
    source.check_whole(len(missing))
    if model.config.is_encoder_decoder:
        raise source.failure("it writes text; use an encoder, such as a BERT, for embeddings")
