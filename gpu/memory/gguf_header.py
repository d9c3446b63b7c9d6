"""Read how many numbers the tensors of a GGUF file hold, from its header alone."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import BinaryIO

_MAGIC = b"GGUF"
# By the number that GGUF gives to a type: bytes of one value. 8 is a text, 9 an array.
_VALUE_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_TEXT, _ARRAY = 8, 9
_MOST_DIMENSIONS = 8
# Of one value. Vocabularies are the largest, with some MB.
_MOST_BYTES = 1 << 28


def tensor_elements(path: Path) -> int:
    """Give the number of elements of all tensors: what is held once they are de-quantised.

    Raises OSError and ValueError where there is no such file.
    """
    with path.open("rb") as file:
        try:
            return _Header(file).elements()
        except struct.error as error:
            raise ValueError("the GGUF file is cut off") from error


class _Header:
    """Read a header, in its order. Raises ValueError and struct.error where it is none."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def elements(self) -> int:
        if self._file.read(4) != _MAGIC:
            raise ValueError("not a GGUF file")
        version = self._number("<I")
        if version not in (2, 3):
            raise ValueError(f"GGUF version {version} is not known")
        tensors, values = self._number("<Q"), self._number("<Q")
        for _ in range(values):
            self._skip_text()
            self._skip_value(self._number("<I"))
        return sum(self._tensor() for _ in range(tensors))

    def _tensor(self) -> int:
        self._skip_text()
        dimensions = self._number("<I")
        if dimensions > _MOST_DIMENSIONS:
            raise ValueError("not a GGUF file")
        shape = [self._number("<Q") for _ in range(dimensions)]
        self._number("<IQ")  # its type, and where it lies
        return math.prod(shape)

    def _skip_value(self, kind: int) -> None:
        if kind == _TEXT:
            self._skip_text()
        elif kind == _ARRAY:
            self._skip_array(self._number("<I"), self._number("<Q"))
        elif kind in _VALUE_BYTES:
            self._skip(_VALUE_BYTES[kind])
        else:
            raise ValueError("not a GGUF file")

    def _skip_array(self, kind: int, count: int) -> None:
        if kind == _TEXT:
            for _ in range(count):
                self._skip_text()
        elif kind in _VALUE_BYTES:
            self._skip(_VALUE_BYTES[kind] * count)
        else:
            raise ValueError("not a GGUF file")

    def _skip_text(self) -> None:
        self._skip(self._number("<Q"))

    def _skip(self, count: int) -> None:
        # Reading shows where the file is cut off, which seeking doesn't.
        if count > _MOST_BYTES or len(self._file.read(count)) != count:
            raise ValueError("the GGUF file is cut off")

    def _number(self, form: str) -> int:
        number: int = struct.unpack(form, self._file.read(struct.calcsize(form)))[0]
        return number
