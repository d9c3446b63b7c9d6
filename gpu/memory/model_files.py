"""Which files hold a model's weights. No torch is needed for it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from failsoft.gpu.tiny import EMBEDDED, is_embedded

# What transformers and diffusers look for, in this order.
_STEMS = {
    "safetensors": ("model", "diffusion_pytorch_model"),
    "bin": ("pytorch_model", "diffusion_pytorch_model"),
}
_SHARD = re.compile(r"-of-(\d+)\.")


def is_local(model: str) -> bool:
    """Tell whether ``model`` is a path or one of the package's own, and no hub id."""
    if is_embedded(model):
        return True
    path = Path(model).expanduser()
    return path.exists() or path.is_absolute() or model.startswith((".", "~"))


def find_model(model: str, gguf_file: str | None = None) -> tuple[Path | None, str | None]:
    """Give the folder of a path or hub id, and the name of its GGUF file, where it is one.

    The folder is None for a hub id that isn't fetched yet, and for a name that the package doesn't
    have. Whether a path exists isn't asked.
    """
    if is_embedded(model):
        return EMBEDDED.get(model), gguf_file
    if not is_local(model):
        return _fetched(model, gguf_file), gguf_file
    path = Path(model).expanduser()
    if path.suffix == ".gguf" and gguf_file is None:
        return path.parent, path.name
    return path, gguf_file


def weight_files(
    folder: Path, *, gguf_file: str | None = None, variant: str | None = None
) -> list[Path]:
    """Give the files that are read when the model in ``folder`` is loaded; none where unknown.

    Of a diffusers pipeline those of all its parts. variant: such as ``fp16``.
    """
    if gguf_file is not None:
        return [folder / gguf_file]
    parts = _parts(folder)
    if parts is None:
        return _of_part(folder, variant)
    return [file for part in parts for file in _of_part(folder / part, variant)]


def read_json(path: Path) -> dict[str, Any]:
    """Give the object in a file; empty where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _fetched(hub_id: str, gguf_file: str | None) -> Path | None:
    """Look a hub id up in the hub's cache on this machine."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    for name in (gguf_file,) if gguf_file else ("model_index.json", "config.json"):
        try:
            found = try_to_load_from_cache(hub_id, name)
        except ValueError:  # no such thing as this id
            return None
        if isinstance(found, str):
            return Path(found).parent
    return None


def _parts(folder: Path) -> list[str] | None:
    """Give the parts of a diffusers pipeline that are loaded; None where it is none."""
    index = read_json(folder / "model_index.json")
    if not index:
        return None
    return [name for name, made in index.items() if isinstance(made, list) and None not in made]


def _of_part(folder: Path, variant: str | None) -> list[Path]:
    for infix in (f".{variant}", "") if variant else ("",):
        for kind, stems in _STEMS.items():
            for stem in stems:
                single = folder / f"{stem}{infix}.{kind}"
                if single.is_file():
                    return [single]
                shards = sorted(folder.glob(f"{stem}{infix}-*-of-*.{kind}"))
                if shards and _are_whole(shards):
                    return shards
    return []


def _are_whole(shards: list[Path]) -> bool:
    told = _SHARD.search(shards[0].name)
    return told is not None and len(shards) == int(told[1])
