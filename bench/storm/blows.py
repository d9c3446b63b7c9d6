"""Blows: in which moment a process is hit, and with which signal."""

from __future__ import annotations

from random import Random
from signal import SIGKILL, SIGSTOP, SIGTERM, Signals
from typing import Final

# How often which moment is wanted. A reaper takes all workers with it.
_WANTED: Final = {
    "generating": 8,
    "loading": 5,
    "idle": 3,
    "stopping": 3,
    "spare": 2,
    "template": 1,
    "reaper": 0.3,
}
_SIGNALS: Final = {SIGKILL: 8, SIGSTOP: 1, SIGTERM: 1}


def draw_moment(random: Random) -> str:
    """Draw the moment of its life in which one is to be hit."""
    return random.choices(list(_WANTED), list(_WANTED.values()))[0]


def draw_signal(random: Random, moment: str) -> Signals:
    """Draw what one is hit with in a moment."""
    number = random.choices(list(_SIGNALS), list(_SIGNALS.values()))[0]
    return SIGKILL if moment == "reaper" else number
