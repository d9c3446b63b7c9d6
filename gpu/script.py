"""The words of a script for the scripted engine: plain data that reads well in a test.

    Script(
        load=[Progress(1, 2), Progress(2, 2)],
        rules=[When("poem", [Say("roses are"), RunOutOfMemory()])],
        otherwise=[Echo()],
    ).options()

A play is a list of acts, done in order. Each word said is one step, so what comes after three
words happens at the fourth step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec


class _Act(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    pass


class Progress(_Act, frozen=True):
    """Report bytes loaded. For loads alone."""

    done: int
    total: int


class Say(_Act, frozen=True):
    """Answer with ``text``, said ``times`` times, a word a step, each after ``delay`` seconds."""

    text: str
    delay: float = 0.0
    times: int = 1


class Echo(_Act, frozen=True):
    """Answer with the prompt, a word a step, each after ``delay`` seconds."""

    delay: float = 0.0


class Pause(_Act, frozen=True):
    """Make ``steps`` steps that show no text, each after ``delay`` seconds."""

    delay: float
    steps: int = 1


class Stall(_Act, frozen=True):
    """Do nothing for ever, while the heartbeat goes on."""


class WaitFor(_Act, frozen=True):
    """Do nothing until somebody opens the FIFO ``path`` to write."""

    path: str


class Once(_Act, frozen=True):
    """Do ``play`` the first time only, over all processes: the file ``marker`` remembers it."""

    marker: str
    play: tuple[Act, ...]


class RunOutOfMemory(_Act, frozen=True):
    """Raise what an engine raises when the device's memory is full."""


class BreakDevice(_Act, frozen=True):
    """Raise what an engine raises when the device is unusable from now on."""


class Raise(_Act, frozen=True):
    """Raise the error of ours of that ``kind``; any other kind is a fault of the engine."""

    kind: str
    message: str = "The script says so."


class Exit(_Act, frozen=True):
    """End the process with ``status``."""

    status: int = 0


class Die(_Act, frozen=True):
    """End the process with a signal: SIGKILL, or another number."""

    signal: int = 9


class Garble(_Act, frozen=True):
    """Write to the wire what is no frame, and then nothing more.

    how: ``garbage``, an ``oversize`` length, or one that is ``cut`` short by the wire's end.
    """

    how: Literal["garbage", "oversize", "cut"]


class Print(_Act, frozen=True):
    """Print ``text`` on stdout as it is, ``times`` times, with no line end of its own.

    encoding: ``latin-1`` makes any bytes of characters up to U+00FF.
    """

    text: str
    times: int = 1
    encoding: Literal["utf-8", "latin-1"] = "utf-8"


class Log(_Act, frozen=True):
    """Write a log line."""

    event: str
    level: Literal["debug", "info", "warning", "error"] = "info"
    fields: dict[str, Any] = {}


class Grow(_Act, frozen=True):
    """Take ``mib`` MiB of memory and keep them."""

    mib: int


Act = (
    Progress
    | Say
    | Echo
    | Pause
    | Stall
    | WaitFor
    | Once
    | RunOutOfMemory
    | BreakDevice
    | Raise
    | Exit
    | Die
    | Garble
    | Print
    | Log
    | Grow
)


class When(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Answer prompts that contain ``words`` with ``play``."""

    words: str
    play: Sequence[Act]


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Say what the engine does when it loads, when it warms up, and for each prompt.

    rules: the first one that fits is played, else ``otherwise``.

    max_batch: requests at once, which take turns, a step each.
    device_memory: what its worker tells of its device, in bytes: held, used and in all, and of what
        is held the cache. Where over 90 % is in use, without the cache, requests are refused.
    """

    load: Sequence[Act] = ()
    warm_up: Sequence[Act] = ()
    rules: Sequence[When] = ()
    otherwise: Sequence[Act] = (Echo(),)
    max_batch: int = 1
    device_memory: tuple[int, ...] = (0, 0, 0)

    def __post_init__(self) -> None:
        if self.max_batch < 1:
            raise ValueError(f"max_batch must be at least 1; it is {self.max_batch}")
        if len(self.device_memory) not in (3, 4):
            raise ValueError(f"device_memory must have 3 or 4 numbers, not {self.device_memory}")

    def options(self) -> dict[str, Any]:
        """Give the script as the options of a ``WorkerSpec``."""
        options: dict[str, Any] = msgspec.to_builtins(self)
        return options
