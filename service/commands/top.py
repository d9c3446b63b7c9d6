"""``failsoft top``."""

from __future__ import annotations

from typing import Annotated

import typer

from failsoft.service.commands.running_service import DEFAULT_URL, TokenFile, Url, service_at


def top(
    url: Url = DEFAULT_URL,
    token_file: TokenFile = None,
    once: Annotated[
        bool, typer.Option("--once", help="Show it once; so it is where there is no terminal.")
    ] = False,
    interval: Annotated[
        float, typer.Option(min=0.1, max=5, help="Seconds between two looks.")
    ] = 1.0,
) -> None:
    """Watch the models of a running service: states, requests, tokens a second, errors."""
    from rich.console import Console

    from failsoft.service.client.top import show_once, watch

    console = Console()
    with service_at(url, token_file) as client:
        if once or not console.is_terminal:
            show_once(client, console, interval)
        else:
            watch(client, console, interval)
