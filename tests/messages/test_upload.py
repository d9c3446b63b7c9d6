"""Uploads: what they are is told by their content."""

from __future__ import annotations

import pytest

from failsoft.messages.upload import (
    IMAGE_TYPES,
    MAX_UPLOAD_BYTES,
    UploadType,
    check_upload,
    type_of,
)

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 16


def errors_of(content: bytes, *allowed: UploadType) -> dict[str, str]:
    errors: dict[str, str] = {}
    check_upload(content, "file", allowed or IMAGE_TYPES, errors)
    return errors


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "JPEG"),
        (PNG, "PNG"),
        (b"GIF87a...", "GIF"),
        (b"GIF89a...", "GIF"),
        (b"%PDF-1.7\n", "PDF"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "WebP"),
    ],
)
def test_each_type_has_its_signature(content: bytes, kind: str) -> None:
    """The first bytes tell."""
    assert type_of(content) == kind


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\xff\xd8", b"\x89PNG\r\n", b"GIF88a", b" %PDF-1.7", b"RIFF\x24\0\0\0WAVEfmt "),
        *(b"RIFFWEBP", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"MZ\x90\0", b"\0" * 100),
    ],
)
def test_anything_else_is_of_no_known_type(content: bytes) -> None:
    """Half a signature, one in another place, and other files."""
    assert type_of(content) is None


def test_what_may_come_in() -> None:
    """A file of an allowed type, up to the bound."""
    assert errors_of(PNG) == {}
    assert errors_of(PNG.ljust(MAX_UPLOAD_BYTES, b"\0")) == {}
    assert errors_of(b"%PDF-1.7\n", "PDF") == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "must not be empty"),
        (PNG.ljust(MAX_UPLOAD_BYTES + 1, b"\0"), "must have at most 10485760 bytes"),
        (b"%PDF-1.7\n", "must be JPEG or PNG or GIF or WebP; by its content it is PDF"),
        (b"nonsense", "by its content it is of no type that is known here"),
    ],
)
def test_what_may_not(content: bytes, said: str) -> None:
    """Is told in words."""
    assert said in errors_of(content)["file"]
