"""Sources: where a model is, as a file names it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, TypeAlias

import msgspec

from failsoft.gpu.tiny import EMBEDDED, is_embedded
from failsoft.service.config.paths import path_in

Source: TypeAlias = Annotated[str, msgspec.Meta(extra={"is": "source"}, min_length=1)]

_BEGINS_PATHS: Final = ("./", "../", "~", "/")


def resolved(source: str, folder: Path, *, is_here: bool = True) -> str:
    """Give the source, of a path the whole one. folder: what relative paths begin at.

    Raise ValueError where there is no such thing on this machine; of a hub id that isn't known, nor
    of what another machine is to load, where ``is_here`` is False.
    """
    if is_embedded(source):
        if source not in EMBEDDED:
            raise ValueError(f"the package has no {source}, only {', '.join(EMBEDDED)}")
        return source
    if not (source.startswith(_BEGINS_PATHS) or source.endswith(".gguf")):
        if source.count("/") > 1:
            raise ValueError(f"{source} is no hub id; a path begins with ./, ../, ~ or /")
        return source
    path = path_in(folder, source)
    if is_here and not path.exists():
        raise ValueError(f"there is no such file or folder: {source}")
    return str(path)
