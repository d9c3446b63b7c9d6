"""Read how large the tensors of a safetensors file are, from its header alone."""

from __future__ import annotations

import json
import struct
from pathlib import Path

# Far above any real one, and what the format's own readers allow.
_MAX_HEADER_BYTES = 100_000_000
# Bytes of one floating-point number, as it is stored.
_FLOATS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}


def tensor_bytes(path: Path, float_bytes: int | None = None) -> int:
    """Give the bytes of all tensors of the file at ``path``.

    float_bytes: of each floating-point number once it is loaded; None: as they are stored.
    Raises OSError and ValueError where there is no such file.
    """
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else _MAX_HEADER_BYTES + 1
        if length > _MAX_HEADER_BYTES:
            raise ValueError("not a safetensors file")
        header = json.loads(file.read(length))
    if not isinstance(header, dict):
        raise ValueError("not a safetensors file")
    header.pop("__metadata__", None)
    return sum(_bytes_of(tensor, float_bytes) for tensor in header.values())


def _bytes_of(tensor: object, float_bytes: int | None) -> int:
    match tensor:
        case {"dtype": str(dtype), "data_offsets": [int(start), int(end)]}:
            stored = _FLOATS.get(dtype)
            if stored is None or float_bytes is None:
                return end - start
            return (end - start) // stored * float_bytes
        case _:
            raise ValueError("not a safetensors file")
