"""The demo on a screen: the tree as it is now, and what was last told; plain lines elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text
from rich.tree import Tree

from failsoft.actors import System, TreeNode

_FRAMES_A_SECOND = 4
_LINES = 12
_NAME_WIDTH = 20
_COLOURS = {
    "ready": "green",
    "busy": "cyan",
    "running": "green",
    "loading": "yellow",
    "starting": "yellow",
    "down": "red",
    "failed": "red",
}


class View:
    """Show what is told, and on a terminal the tree with it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._tokens: dict[str, tuple[float, int, float]] = {}

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
        now = system.clock.now()
        return Group(*(self._branch(top, now, 0) for top in system.tree()), Text(), lines)

    def _branch(self, node: TreeNode, now: float, depth: int) -> Tree:
        branch = Tree(self._label(node, now, _NAME_WIDTH - 4 * depth))
        for child in node.children:
            branch.children.append(self._branch(child, now, depth + 1))
        return branch

    def _label(self, node: TreeNode, now: float, name_width: int) -> Text:
        shows = node.shows
        state = shows.get("model_state", node.state)
        name = f"{node.name:{name_width}} "
        text = Text.assemble((name, "bold"), (f"{state:9}", _COLOURS.get(state, "")))
        if node.restarts:
            text.append(f" restarts {node.restarts}", "red")
        if "model_state" in shows:
            queue = shows["waiting"] + shows["running"]
            text.append(f" queue {queue:2}  {self._rate(node, now):5.1f} tokens/s")
            if state == "loading" and shows["total_bytes"]:
                text.append(f"  {100 * shows['loaded_bytes'] // shows['total_bytes']} % loaded")
        if "answers_with" in shows:
            text.append(f" answers with {shows['answers_with'] or 'nobody'}", "magenta")
            text.append(f"  in hand {shows['in_hand']}  fell back {shows['fell_back']}")
        for id, child in shows.get("children", {}).items():
            if child["until"] is not None and child["until"] > now:
                text.append(f"  {id} restarts in {child['until'] - now:.1f} s", "yellow")
        return text

    def _rate(self, node: TreeNode, now: float) -> float:
        """Give tokens a second, over the last second or so: one step of a worker makes one."""
        tokens = int(node.shows["steps"])
        at, before, rate = self._tokens.get(node.path, (now, tokens, 0.0))
        if now - at >= 1:
            rate = max(0, tokens - before) / (now - at)
            at, before = now, tokens
        self._tokens[node.path] = (at, before, rate)
        return rate
