"""``failsoft top``: the models of a running service, once or again and again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from failsoft.service.client.client import ServiceClient
from failsoft.service.client.errors import CommandFailed
from failsoft.service.client.picture import Picture, take_picture
from failsoft.service.page.rates import Rates
from failsoft.service.page.rows import rows_of
from failsoft.service.tree_view import styled_state
from failsoft.telemetry import ErrorReport
from failsoft.telemetry.probes import nodes

_ERRORS: Final = 5
_STYLES: Final = {"up": "green", "draining": "yellow", "full": "", "closed": "", "none": "dim"}

Sleep = Callable[[float], object]


class Top:
    """Draw one picture after another."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client
        self._rates = Rates(shortest=0.0)

    def look(self) -> Picture:
        """Take a picture. Raise CommandFailed."""
        picture = take_picture(self._client, with_errors=True)
        self._rates.look(nodes(picture.tree), picture.at)
        return picture

    def draw(self, picture: Picture, trouble: str = "") -> RenderableType:
        """Draw it. trouble: why it is the last one that could be taken."""
        parts: list[RenderableType] = [Text(trouble, "bold red")] if trouble else []
        parts += [self._heading(picture), Text(), self._models(picture)]
        if picture.errors is not None and picture.errors.recent:
            parts += [Text(), _recent(picture.errors)]
        return Group(*parts)

    def _heading(self, picture: Picture) -> Text:
        status = picture.status
        heading = Text.assemble((self._client.access.url, "bold"), "  ", _styled(status.status))
        heading.append("  load ").append_text(_styled(status.degradation_level))
        heading.append(f"  in hand {status.in_hand}  restarts {status.restarts}")
        if picture.errors is not None:
            rate, total = picture.errors.error_rate, picture.errors.last_hour.total
            heading.append(f"\nerrors: {total} in the last hour, {rate:g} in the last minute")
            for spike in picture.errors.spikes:
                heading.append(f"; a spike of {spike.kind}", "red")
        return heading

    def _models(self, picture: Picture) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("model", overflow="fold")
        for name in ("state", "circuit"):
            table.add_column(name, no_wrap=True)
        for name in ("in hand", "waiting", "tokens/s", "restarts"):
            table.add_column(name, justify="right", no_wrap=True)
        for row in rows_of(picture.tree, self._rates.now, picture.at):
            if row.role != "model" and not row.is_candidate:
                continue
            rate = row.tokens_per_second
            table.add_row(
                Text(row.path, "bold"),
                styled_state(row.state),
                _styled(row.circuit or "none"),
                str(row.running),
                str(row.waiting),
                "-" if rate is None else f"{rate:.1f}",
                Text(str(row.restarts), "red" if row.restarts else ""),
            )
        return table


def show_once(
    client: ServiceClient, console: Console, interval: float, sleep: Sleep = time.sleep
) -> None:
    """Print one picture, with the rates of ``interval`` seconds. Raise CommandFailed."""
    top = Top(client)
    top.look()
    sleep(interval)
    console.print(top.draw(top.look()))


def watch(
    client: ServiceClient, console: Console, interval: float, sleep: Sleep = time.sleep
) -> None:
    """Draw until Ctrl-C. A service that goes away is waited for; it may be what one watches.

    Raise CommandFailed where it isn't there from the start.
    """
    top = Top(client)
    picture, trouble = top.look(), ""
    with Live(console=console, auto_refresh=False, screen=True) as live:
        try:
            while True:
                live.update(top.draw(picture, trouble), refresh=True)
                sleep(interval)
                try:
                    picture, trouble = top.look(), ""
                except CommandFailed as error:
                    trouble = str(error)
        except KeyboardInterrupt:
            return


def _recent(report: ErrorReport) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("last errors", no_wrap=True)
    table.add_column("path", overflow="fold")
    table.add_column("correlation id", overflow="fold")
    table.add_column("seconds ago", justify="right", no_wrap=True)
    for error in report.recent[:_ERRORS]:
        ago = max(0.0, report.at - error.at)
        table.add_row(
            Text(error.kind, "red"),
            Text(error.path),
            Text(error.correlation_id or "-"),
            f"{ago:.0f}",
        )
    return table


def _styled(word: str) -> Text:
    return Text(word, _STYLES.get(word, "red"))
