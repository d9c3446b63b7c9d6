"""How much memory a model's weights take, told from its files before they are read."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from failsoft.gpu.memory.gguf_header import tensor_elements
from failsoft.gpu.memory.model_files import find_model, read_json, weight_files
from failsoft.gpu.memory.safetensors_header import tensor_bytes

_FLOAT_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


def model_bytes(
    model: str | PathLike[str],
    *,
    dtype: str = "auto",
    gguf_file: str | None = None,
    variant: str | None = None,
) -> int | None:
    """Give the bytes of the weights once they are loaded; None where that isn't known.

    model: a folder, a path that ends in ``.gguf``, or a hub id, which isn't fetched for this.
    dtype: the one that they are held in. ``auto`` counts them as they are stored, GGUF as float32.
    variant: of a diffusers pipeline's files.

    Old ``.bin`` files count with their size, since they say nothing of what is in them.
    """
    folder, gguf_file = find_model(str(model), gguf_file)
    if folder is None:
        return None
    files = weight_files(folder, gguf_file=gguf_file, variant=variant)
    try:
        sizes = [_bytes_of(file, _FLOAT_BYTES.get(dtype)) for file in files]
    # The loader knows better words for what is damaged or not there.
    except (OSError, ValueError):
        return None
    return sum(sizes) if sizes else None


def _bytes_of(file: Path, float_bytes: int | None) -> int:
    match file.suffix:
        case ".gguf":
            return tensor_elements(file) * (float_bytes or _FLOAT_BYTES["float32"])
        case ".safetensors":
            # Quantised weights stay as they are.
            is_quantised = "quantization_config" in read_json(file.parent / "config.json")
            return tensor_bytes(file, None if is_quantised else float_bytes)
        case _:
            return file.stat().st_size
