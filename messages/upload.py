"""Uploads: what a file is, by its content alone, and whether it may come in."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

MAX_UPLOAD_BYTES = 10 * 1024 * 1024

UploadType = Literal["JPEG", "PNG", "GIF", "WebP", "PDF"]
IMAGE_TYPES: tuple[UploadType, ...] = ("JPEG", "PNG", "GIF", "WebP")

_SIGNATURES: tuple[tuple[bytes, UploadType], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"%PDF-", "PDF"),
)
# Other files begin with RIFF too; how long this one is stands between.
_RIFF, _WEBP = b"RIFF", b"WEBP"


def type_of(content: bytes) -> UploadType | None:
    """Give the type that the content's signature tells, whatever it was said to be."""
    if content.startswith(_RIFF) and content[8:12] == _WEBP:
        return "WebP"
    return next((kind for mark, kind in _SIGNATURES if content.startswith(mark)), None)


def check_upload(
    content: bytes, path: str, allowed: Collection[UploadType], errors: dict[str, str]
) -> None:
    """Add to ``errors`` what is wrong with a file: its size, or a type that isn't ``allowed``."""
    kind = type_of(content)
    if not content:
        errors[path] = "must not be empty"
    elif len(content) > MAX_UPLOAD_BYTES:
        errors[path] = f"must have at most {MAX_UPLOAD_BYTES} bytes; it has {len(content)}"
    elif kind not in allowed:
        found = "of no type that is known here" if kind is None else kind
        errors[path] = f"must be {' or '.join(allowed)}; by its content it is {found}"
