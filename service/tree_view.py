"""A supervision tree as a tree for a terminal: states, circuits, queues, restarts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Group
from rich.text import Text
from rich.tree import Tree

from failsoft.service.page.rows import Row

_NARROWEST: Final = 12
_INDENT: Final = 4
_COLOURS: Final = {
    "ready": "green",
    "busy": "cyan",
    "running": "green",
    "loading": "yellow",
    "starting": "yellow",
    "warming": "yellow",
    "draining": "yellow",
    "stopping": "yellow",
    "stopped": "yellow",
    "down": "red",
    "failed": "red",
    "closed": "red",
}


def tree_view(rows: Sequence[Row], now: float) -> Group:
    """Draw the rows of a tree, parents first, as they were at ``now``, on the system's clock."""
    longest = max((_INDENT * row.depth + len(row.name) for row in rows), default=0)
    width = max(longest, _NARROWEST)
    tops: list[Tree] = []
    # The branch that leads to where the next row belongs.
    branch: list[Tree] = []
    for row in rows:
        drawn = Tree(_label(row, now, width - _INDENT * row.depth))
        del branch[row.depth :]
        (branch[-1].children if branch else tops).append(drawn)
        branch.append(drawn)
    return Group(*tops)


def styled_state(state: str) -> Text:
    """Give a state in its colour."""
    return Text(state, _COLOURS.get(state, ""))


def _label(row: Row, now: float, width: int) -> Text:
    """Say what is out of the ordinary, and how much there is to do."""
    label = Text(f"{row.name:{width}}  ", "bold").append_text(styled_state(row.state))
    for words, style in _facts(row, now):
        label.append(f"  {words}", style)
    return label


def _facts(row: Row, now: float) -> Iterable[tuple[str, str]]:
    if row.role == "router":
        yield f"answers with {row.answers_with or 'nobody'}", "magenta"
    if row.forced:
        yield f"circuit {row.circuit}, held by an operator", "yellow"
    elif row.retry_at is not None:
        yield f"circuit open, tried again in {max(0.0, row.retry_at - now):.0f} s", "red"
    elif row.circuit not in ("", "closed"):
        yield f"circuit {row.circuit}", "red"
    if row.loaded is not None:
        yield f"{row.loaded:.0%} loaded", "yellow"
    if row.until is not None and row.until > now:
        yield f"starts in {row.until - now:.1f} s", "yellow"
    if row.trouble:
        yield row.trouble, "red"
    if row.spare:
        yield f"spare {row.spare}", ""
    yield from _counts(row)


def _counts(row: Row) -> Iterable[tuple[str, str]]:
    counts = (
        ("in hand", row.running, "cyan"),
        ("waiting", row.waiting, "yellow"),
        ("quarantined", row.quarantined, "red"),
        ("restarts", row.restarts, "red"),
    )
    for name, count, style in counts:
        if count:
            yield f"{name} {count}", style
    if row.tokens_per_second is not None:
        yield f"{row.tokens_per_second:.1f} tokens/s", ""
