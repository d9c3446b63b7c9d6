"""What answering some texts took, as both sides tell it."""

from __future__ import annotations

from pathlib import Path

import msgspec

_TICKS_PER_SECOND = 100  # USER_HZ, which Linux has told userland for ever


class Took(msgspec.Struct, frozen=True):
    """Tell how long some texts took, in seconds from the start of the first.

    wall, processor: of the whole. tokens: made, of those asked for. firsts, lasts: when each text
    had its first and its last token, counted from when it came; a peer that can't say when the
    first one was has none. made: how many tokens there were at which time.
    """

    wall: float
    processor: float
    tokens: int
    firsts: tuple[float, ...] = ()
    lasts: tuple[float, ...] = ()
    made: tuple[tuple[float, int], ...] = ()


def processor_seconds(pid: int) -> float:
    """Give the processor time of a process so far, of all its threads; to 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND
