"""A picture that comes with a prompt: looked at, and refused, for no model here takes any."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Final

from msgspec import Meta

from failsoft.messages.upload import IMAGE_TYPES, check_upload, type_of

Picture = Annotated[
    str, Meta(description="A picture, in base64 or as a data: URL. No model here takes any yet.")
]
_DATA_URL: Final = re.compile(r"data:[^,;]{0,100}(;[^,;]{1,100})*;base64,")


def check_picture(picture: str, path: str, errors: dict[str, str]) -> None:
    """Add to ``errors`` what is wrong with a picture; where nothing is, that nobody takes it.

    Nothing is fetched: whoever asks could have this service call on others behind its walls.
    """
    head = _DATA_URL.match(picture)
    if head is None and ":" in picture[:100]:
        errors[path] = "must be a data: URL in base64; nothing is fetched from elsewhere"
        return
    try:
        content = base64.b64decode(picture[0 if head is None else head.end() :], validate=True)
    except (binascii.Error, ValueError):
        errors[path] = "is not valid base64"
        return
    check_upload(content, path, IMAGE_TYPES, errors)
    if path not in errors:
        errors[path] = (
            f"is a picture ({type_of(content)}), and no model here takes any; take it out"
        )
