"""Blows: in which moment a process is hit, and with which signal."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from signal import SIGKILL, SIGSTOP, SIGTERM, Signals
from typing import Final

# How often which moment of a worker is wanted, and what stands around it: a reaper takes all with
# it, and so does a placer.
_WANTED: Final = {"generating": 8.0, "loading": 5.0, "idle": 3.0, "stopping": 3.0, "spare": 2.0}
AROUND_HERE: Final = {"template": 1.0, "reaper": 0.3}
AROUND_THERE: Final = {"keeper": 2.0, "actor": 2.0, "node": 1.0, "placer": 0.3}
_ENDED_AT_ONCE: Final = ("reaper", "placer", "node")
_SIGNALS: Final = {SIGKILL: 8, SIGSTOP: 1, SIGTERM: 1}


def draw_moment(random: Random, around: Mapping[str, float] = AROUND_HERE) -> str:
    """Draw the moment of its life in which a worker is to be hit, or what is instead of it."""
    wanted = {**_WANTED, **around}
    return random.choices(list(wanted), list(wanted.values()))[0]


def draw_signal(random: Random, moment: str) -> Signals:
    """Draw what one is hit with in a moment."""
    number = random.choices(list(_SIGNALS), list(_SIGNALS.values()))[0]
    return SIGKILL if moment in _ENDED_AT_ONCE else number
