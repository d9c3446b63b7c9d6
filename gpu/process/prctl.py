"""Three settings of the Linux kernel that tie processes together. Standard library only."""

from __future__ import annotations

import ctypes
import os
import signal

_SET_PARENT_DEATH_SIGNAL = 1
_SET_NAME = 15
_SET_CHILD_SUBREAPER = 36


def set_parent_death_signal(number: signal.Signals) -> None:
    """Have the kernel send this process ``number`` when its parent's thread ends."""
    _prctl(_SET_PARENT_DEATH_SIGNAL, int(number))


def become_subreaper() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _prctl(_SET_CHILD_SUBREAPER, 1)


def set_name(name: str) -> None:
    """Set the name that ``top`` and ``ps`` show; the kernel keeps 15 bytes."""
    _prctl(_SET_NAME, ctypes.c_char_p(name.encode()))


def tie_to_parent(parent: int) -> None:
    """Die with ``parent``, by the kernel's hand; exit now where it is gone already."""
    set_parent_death_signal(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _prctl(option: int, value: int | ctypes.c_char_p) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
