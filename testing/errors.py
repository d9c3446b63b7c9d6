"""What a test is told when it waits in vain, or leaves something behind."""

from __future__ import annotations

from collections.abc import Sequence


class WouldHang(Exception):
    """Tell that a test waits for what can't come while the clock is virtual.

    reason: what it waits for, as far as is known, and what to do. waiting: each task that waits,
    with the lines where it does.
    """

    def __init__(self, reason: str, waiting: Sequence[str] = ()) -> None:
        shown = "".join(f"\n{task}" for task in waiting)
        super().__init__(f"{reason}\nThese tasks wait:{shown}" if waiting else reason)
        self.reason = reason
        self.waiting = tuple(waiting)


class EventNotSeen(AssertionError):
    """Tell that an awaited event did not come in time, and which did."""


class LeakFound(AssertionError):
    """Tell what was left behind.

    tasks, descriptors, processes, errors: a line for each; errors are those that the loop
    reported because nobody took them.
    """

    def __init__(
        self,
        *,
        tasks: Sequence[str] = (),
        descriptors: Sequence[str] = (),
        processes: Sequence[str] = (),
        errors: Sequence[str] = (),
    ) -> None:
        found = {
            "tasks that still run": tasks,
            "open descriptors": descriptors,
            "processes": processes,
            "errors that nobody took": errors,
        }
        lines = [f"{name}:\n  " + "\n  ".join(each) for name, each in found.items() if each]
        super().__init__(
            "left behind; end it in the test, or mark the test no_leak_check\n" + "\n".join(lines)
        )
        self.tasks = tuple(tasks)
        self.descriptors = tuple(descriptors)
        self.processes = tuple(processes)
        self.errors = tuple(errors)
