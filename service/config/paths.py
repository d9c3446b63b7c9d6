"""Paths: as a file writes them, and what may be read there."""

from __future__ import annotations

import errno
from pathlib import Path


def path_in(folder: Path, written: str) -> Path:
    """Give a path; ``folder`` is what relative ones begin at. Raise ValueError."""
    try:
        return folder / Path(written).expanduser()
    except RuntimeError:  # no such user, or one without a home
        raise ValueError(f"the home folder of {written} isn't known; write it in full") from None


def check_regular(path: Path) -> None:
    """Raise OSError where it is no regular file, or isn't there.

    A pipe would have all wait who are served meanwhile.
    """
    path.stat()
    if not path.is_file():
        raise OSError(errno.EINVAL, "not a regular file")
