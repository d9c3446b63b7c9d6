"""Files that tests write."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from failsoft.service.config import BadConfig, TreeConfig, load

# Line 1 to 6: what comes after it begins on line 7.
LEAST = """\
[models.primary]
kind = "scripted"

[routes.chat]
models = ["primary"]

"""


def loaded(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> TreeConfig:
    """Give what a file with this text says."""
    file = folder / "tree.toml"
    file.write_text(text)
    return load(file, environ or {}).tree


def mistakes(
    folder: Path, text: str | bytes, environ: Mapping[str, str] | None = None
) -> list[str]:
    """Give all that is wrong with a file, without its name."""
    file = folder / "tree.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    try:
        load(file, environ or {})
    except BadConfig as error:
        return [str(each).removeprefix(f"{file}:").strip() for each in error.mistakes]
    return []
