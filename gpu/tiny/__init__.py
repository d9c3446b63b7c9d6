"""The models that are always there: they lie in the package, and are named ``failsoft:NAME``."""

from __future__ import annotations

from pathlib import Path

_PREFIX = "failsoft:"
_HERE = Path(__file__).resolve().parent

# Of each name: its folder. No torch is needed to look one up.
EMBEDDED: dict[str, Path] = {
    "failsoft:tiny-text": _HERE / "text",
    "failsoft:tiny-image": _HERE / "image",
}


def is_embedded(model: str) -> bool:
    """Tell whether ``model`` is named as one of the package's own, whether it is there or not."""
    return model.startswith(_PREFIX)
