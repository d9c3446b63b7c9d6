"""Draw the progress of fetching the demo's model: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TextIO

from failsoft.service.smollm2 import Phase, Progress

if TYPE_CHECKING:
    from rich.progress import TaskID

WORDS: dict[Phase, str] = {
    "wait": "Waiting for another process that makes it",
    "download": "Downloading SmolLM2",
    "check": "Checking",
    "de-quantise": "De-quantising",
    "save": "Saving",
}


@contextlib.contextmanager
def drawn_progress(output: TextIO | None = None) -> Iterator[Callable[[Progress], None]]:
    """Give a function that draws each Progress on ``output`` (stderr by default)."""
    output = sys.stderr if output is None else output
    # A plain install has no rich.
    if output.isatty() and importlib.util.find_spec("rich") is not None:
        with _bars(output) as draw:
            yield draw
        return
    lines = PlainLines(output)
    yield lines
    lines.end()


class PlainLines:
    """Print a line when a phase begins and one when it ends."""

    def __init__(self, output: TextIO) -> None:
        self._output = output
        self._last: Progress | None = None

    def __call__(self, progress: Progress) -> None:
        if self._last is None or progress.phase != self._last.phase:
            self.end()
            print(f"{WORDS[progress.phase]} …", file=self._output, flush=True)
        self._last = progress

    def end(self) -> None:
        """Print that the phase under way is done, where there is one."""
        if self._last is not None:
            amount = _amount(self._last)
            print(f"{WORDS[self._last.phase]}: done{amount}", file=self._output, flush=True)
            self._last = None


def _amount(progress: Progress) -> str:
    if not progress.done:
        return ""
    if progress.unit == "bytes":
        return f" ({progress.done / 1e6:,.0f} MB)"
    return f" ({progress.done} {progress.unit})"


@contextlib.contextmanager
def _bars(output: TextIO) -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Bars(*columns, TimeElapsedColumn(), console=Console(file=output)) as bars:
        tasks: dict[Phase, TaskID] = {}

        def draw(progress: Progress) -> None:
            for earlier in tasks.keys() - {progress.phase}:
                bars.update(tasks[earlier], completed=1, total=1)
            if progress.phase not in tasks:
                tasks[progress.phase] = bars.add_task(WORDS[progress.phase], total=None)
            bars.update(
                tasks[progress.phase], completed=progress.done, total=progress.total or None
            )

        yield draw
