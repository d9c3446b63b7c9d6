"""A gate that holds a scripted worker, until the test opens it."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from failsoft.gpu.script import WaitFor


class Gate:
    """Make a gate at ``path``, where nothing is yet; use it as a context manager.

    with Gate(tmp_path / "gate") as gate:
        worker = scripted(Script(otherwise=[Say("one "), gate.wait, Say("two")]))
        ...
        gate.open()
    """

    def __init__(self, path: Path | str) -> None:
        self.path = str(path)
        self._descriptor: int | None = None
        os.mkfifo(self.path)

    @property
    def wait(self) -> WaitFor:
        """Give the act of waiting here."""
        return WaitFor(self.path)

    @property
    def is_open(self) -> bool:
        return self._descriptor is not None

    def open(self) -> None:
        """Let through whoever waits, and whoever comes. A second time does nothing."""
        if self._descriptor is None:
            # For reading too: so it waits for nobody.
            self._descriptor = os.open(self.path, os.O_RDWR)

    def close(self) -> None:
        """Close it again. Who waits then does so for ever."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
