"""Say where tasks wait, for people: the lines of their own code, not those of libraries."""

from __future__ import annotations

import asyncio
import linecache
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

SHOWN = 10
_LIBRARIES = (sysconfig.get_paths()["stdlib"], str(Path(__file__).parents[1]), "<")


def describe_tasks(tasks: Iterable[asyncio.Task[Any]]) -> list[str]:
    """Give some lines for each of the tasks, at most ``SHOWN``; the test first.

    Those that wait in libraries alone, such as an idle actor, are only counted.
    """
    told: list[str] = []
    untold = 0
    for task in sorted(tasks, key=lambda task: (not is_of_test_runner(task), task.get_name())):
        lines = _lines(task)
        if lines and len(told) < SHOWN:
            name = "the test" if is_of_test_runner(task) else _name(task)
            told.append("\n    ".join([f"  {name}", *lines]))
        elif not is_of_test_runner(task):
            untold += 1
    return [*told, f"  and {untold} more"] if untold else told


def describe_task(task: asyncio.Task[Any]) -> str:
    """Give a task's name and the lines where it waits, the innermost last."""
    return "\n    ".join([_name(task), *_lines(task)])


def is_of_test_runner(task: asyncio.Task[Any]) -> bool:
    """Tell whether a task is of anyio's runner: the one that runs tests and fixtures, or waits."""
    return getattr(task.get_coro(), "__qualname__", "").startswith("TestRunner.")


def _name(task: asyncio.Task[Any]) -> str:
    return f"{task.get_name()}, {getattr(task.get_coro(), '__qualname__', '?')}"


def _lines(task: asyncio.Task[Any]) -> list[str]:
    lines = []
    for frame in _frames(task.get_coro()):
        file, number = frame.f_code.co_filename, frame.f_lineno
        if not file.startswith(_LIBRARIES) and "site-packages" not in file:
            source = linecache.getline(file, number).strip()
            lines.append(f"{file}:{number} in {frame.f_code.co_name}: {source}")
    return lines


def _frames(awaited: Any) -> Iterator[FrameType]:
    """Follow what awaits what; a task itself knows but its outermost coroutine."""
    while awaited is not None:
        for kind, inner in (("cr", "cr_await"), ("gi", "gi_yieldfrom"), ("ag", "ag_await")):
            frame = getattr(awaited, f"{kind}_frame", None)
            if frame is not None:
                yield frame
                awaited = getattr(awaited, inner, None)
                if frame.f_globals.get("__name__") == "failsoft.actors.drive":
                    awaited = frame.f_locals.get("coroutine")  # it sends to it by itself
                break
        else:
            return
