"""The demo on a screen: the tree as it is now, and what was last told; plain lines elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from failsoft.actors import System
from failsoft.service.page.rates import Rates
from failsoft.service.page.rows import rows_of
from failsoft.service.tree_view import tree_view
from failsoft.telemetry.probes import nodes

_FRAMES_A_SECOND = 4
_LINES = 12


class View:
    """Show what is told, and on a terminal the tree with it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._rates = Rates()

    def tell(self, line: str) -> None:
        """Show a line."""
        if self._console.is_terminal:
            self._lines.append(line)
        else:
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    @contextlib.asynccontextmanager
    async def live(self, system: Callable[[], System | None]) -> AsyncIterator[None]:
        """Draw the tree of ``system()`` inside the block, where there is a terminal."""
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, auto_refresh=False, transient=True) as live:

            async def draw() -> None:
                while True:
                    live.update(self._picture(system()), refresh=True)
                    await asyncio.sleep(1 / _FRAMES_A_SECOND)

            drawing = asyncio.create_task(draw())
            try:
                yield
            finally:
                drawing.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await drawing

    def _picture(self, system: System | None) -> RenderableType:
        lines = Text("\n".join(self._lines), overflow="ellipsis", no_wrap=True)
        if system is None:
            return lines
        now, tree = system.clock.now(), system.tree()
        self._rates.look(nodes(tree), now)
        return Group(tree_view(rows_of(tree, self._rates.now, now), now), Text(), lines)
