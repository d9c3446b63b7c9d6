"""Why an actor ended, in OTP's words."""

from __future__ import annotations

import enum

import msgspec

from failsoft.actors.errors import describe


class ExitKind(enum.Enum):
    """Name the ways to end. ``normal`` and ``shutdown`` are no failures."""

    NORMAL = "normal"
    SHUTDOWN = "shutdown"
    KILLED = "killed"
    FAILED = "failed"


class ExitReason(msgspec.Struct, frozen=True):
    """Tell why an actor ended; ``error`` is there where it failed."""

    kind: ExitKind
    error: BaseException | None = None

    @property
    def is_abnormal(self) -> bool:
        return self.kind in (ExitKind.KILLED, ExitKind.FAILED)

    def __str__(self) -> str:
        return self.kind.value if self.error is None else describe(self.error)


NORMAL = ExitReason(ExitKind.NORMAL)
SHUTDOWN = ExitReason(ExitKind.SHUTDOWN)
KILLED = ExitReason(ExitKind.KILLED)


def failed(error: BaseException) -> ExitReason:
    """Give the reason of an actor that an error ended."""
    return ExitReason(ExitKind.FAILED, error)
