"""Why a command of the operator's failed, each with its exit status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class CommandFailed(Exception):
    """Be the base: its words tell what to do. exit_status: of the command."""

    exit_status: ClassVar[int] = 1


class Refused(CommandFailed):
    """Tell that the service said no. status: of HTTP; details: of the error."""

    def __init__(self, words: str, status: int, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(words)
        self.status = status
        self.details = details or {}


class BadAccess(CommandFailed):
    """Tell that a URL, or a token's file, can't be used."""

    exit_status = 2


class Unreachable(CommandFailed):
    """Tell that nothing answers at the URL, or nothing that speaks HTTP."""

    exit_status = 3
