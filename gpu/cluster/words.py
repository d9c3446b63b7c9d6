"""What a service and the keeper of one of its workers say to each other, beside the wire."""

from __future__ import annotations

from failsoft.messages.frames import Frame
from failsoft.messages.wire import FrameReader

# What a worker has printed comes in such parts at most.
MAX_PRINTED_BYTES = 64 * 1024
_MAX_WORD_BYTES = 2 * MAX_PRINTED_BYTES


class Beat(Frame, frozen=True):
    """Ask for a sign of life. ``at`` is on the service's clock, and comes back."""

    at: float


class Signal(Frame, frozen=True):
    """Send the worker a signal; SIGKILL ends what it has started, too."""

    number: int


Order = Beat | Signal


class Beaten(Frame, frozen=True):
    """Answer a beat. ``clock`` is the monotonic clock of the keeper's machine."""

    at: float
    clock: float


class Born(Frame, frozen=True):
    """Tell that the worker's process is there."""

    pid: int


class NotBorn(Frame, frozen=True):
    """Tell that no process could be made."""

    reason: str


class Printed(Frame, frozen=True):
    """Carry what the worker has printed."""

    data: bytes


class Exited(Frame, frozen=True):
    """Tell that the worker has ended; the last word. ``status`` is as in ``subprocess``."""

    status: int


Word = Beaten | Born | NotBorn | Printed | Exited


def order_reader() -> FrameReader:
    """Give the reader of a keeper's end."""
    return FrameReader(Order, _MAX_WORD_BYTES)


def word_reader() -> FrameReader:
    """Give the reader of a service's end."""
    return FrameReader(Word, _MAX_WORD_BYTES)
