"""The one error of fetching a model."""

from __future__ import annotations

import errno
from pathlib import Path

DISK_FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class ModelUnavailable(Exception):
    """Tell in one line why the demo's model can't be had, and what to do about it."""


def disk_full(cache: Path, needed_bytes: int = 0, free_bytes: int = 0) -> ModelUnavailable:
    """Make the error for a full disk, a quota or a limit on file sizes."""
    numbers = (
        f": {needed_bytes / 1e6:,.0f} MB are needed and {free_bytes / 1e6:,.0f} MB are free"
        if needed_bytes
        else ""
    )
    return ModelUnavailable(
        f"There is not enough space in {cache}{numbers}; "
        "make space, or set FAILSOFT_CACHE to a folder on a larger disk."
    )
