"""Finding: what one check of the doctor's comes to."""

from __future__ import annotations

from typing import Literal

import msgspec

Level = Literal["ok", "warn", "fail"]


class Finding(msgspec.Struct, frozen=True):
    """Tell what was found, and what to do where it isn't well.

    level: ``fail`` where the service can't do what it is for, ``warn`` where it can for now.
    """

    check: str
    level: Level
    found: str
    remedy: str = ""


def ok(check: str, found: str) -> Finding:
    """Tell that all is well."""
    return Finding(check, "ok", found)


def warn(check: str, found: str, remedy: str) -> Finding:
    """Tell of what may go wrong."""
    return Finding(check, "warn", found, remedy)


def fail(check: str, found: str, remedy: str) -> Finding:
    """Tell of what is wrong."""
    return Finding(check, "fail", found, remedy)
