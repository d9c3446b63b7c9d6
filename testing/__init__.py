"""What tests of actors and trees need: virtual time, a recorder of events, a check for leaks.

pytest loads ``plugin`` by itself, which gives fixtures and markers; see docs/testing.md. Everything
here works without pytest too. The names below are loaded when first used, so that a project whose
tests use none of them pays nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from failsoft.gpu.script import BreakDevice as BreakDevice
    from failsoft.gpu.script import Die as Die
    from failsoft.gpu.script import Echo as Echo
    from failsoft.gpu.script import Exit as Exit
    from failsoft.gpu.script import Garble as Garble
    from failsoft.gpu.script import Grow as Grow
    from failsoft.gpu.script import Log as Log
    from failsoft.gpu.script import Once as Once
    from failsoft.gpu.script import Pause as Pause
    from failsoft.gpu.script import Print as Print
    from failsoft.gpu.script import Progress as Progress
    from failsoft.gpu.script import Raise as Raise
    from failsoft.gpu.script import RunOutOfMemory as RunOutOfMemory
    from failsoft.gpu.script import Say as Say
    from failsoft.gpu.script import Script as Script
    from failsoft.gpu.script import Stall as Stall
    from failsoft.gpu.script import WaitFor as WaitFor
    from failsoft.gpu.script import When as When
    from failsoft.gpu.scripted import scripted as scripted
    from failsoft.testing.errors import EventNotSeen as EventNotSeen
    from failsoft.testing.errors import LeakFound as LeakFound
    from failsoft.testing.errors import WouldHang as WouldHang
    from failsoft.testing.gate import Gate as Gate
    from failsoft.testing.leaks import LeakCheck as LeakCheck
    from failsoft.testing.leaks import no_leaks as no_leaks
    from failsoft.testing.recorder import EventRecorder as EventRecorder
    from failsoft.testing.running import running_system as running_system
    from failsoft.testing.virtual_time import VirtualTimeLoop as VirtualTimeLoop
    from failsoft.testing.virtual_time_uvloop import VirtualTimeUvloop as VirtualTimeUvloop

_HOMES = {
    "BreakDevice": "gpu.script",
    "Die": "gpu.script",
    "Echo": "gpu.script",
    "EventNotSeen": "testing.errors",
    "EventRecorder": "testing.recorder",
    "Exit": "gpu.script",
    "Garble": "gpu.script",
    "Gate": "testing.gate",
    "Grow": "gpu.script",
    "LeakCheck": "testing.leaks",
    "LeakFound": "testing.errors",
    "Log": "gpu.script",
    "Once": "gpu.script",
    "Pause": "gpu.script",
    "Print": "gpu.script",
    "Progress": "gpu.script",
    "Raise": "gpu.script",
    "RunOutOfMemory": "gpu.script",
    "Say": "gpu.script",
    "Script": "gpu.script",
    "Stall": "gpu.script",
    "VirtualTimeLoop": "testing.virtual_time",
    "VirtualTimeUvloop": "testing.virtual_time_uvloop",
    "WaitFor": "gpu.script",
    "When": "gpu.script",
    "WouldHang": "testing.errors",
    "no_leaks": "testing.leaks",
    "running_system": "testing.running",
    "scripted": "gpu.scripted",
}

# Without VirtualTimeUvloop, for uvloop may not be there.
__all__ = [
    "BreakDevice",
    "Die",
    "Echo",
    "EventNotSeen",
    "EventRecorder",
    "Exit",
    "Garble",
    "Gate",
    "Grow",
    "LeakCheck",
    "LeakFound",
    "Log",
    "Once",
    "Pause",
    "Print",
    "Progress",
    "Raise",
    "RunOutOfMemory",
    "Say",
    "Script",
    "Stall",
    "VirtualTimeLoop",
    "WaitFor",
    "When",
    "WouldHang",
    "no_leaks",
    "running_system",
    "scripted",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'failsoft.testing' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"failsoft.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
