"""``failsoft rollout``."""

from __future__ import annotations

from typing import Annotated

import typer

from failsoft.service.commands.running_service import DEFAULT_URL, TokenFile, Url, service_at


def rollout(
    path: Annotated[str, typer.Argument(help="Of a pool, as `failsoft tree` shows it.")],
    url: Url = DEFAULT_URL,
    token_file: TokenFile = None,
) -> None:
    """Replace a pool's replicas one at a time; a new one is ready before an old one ends."""
    from failsoft.service.client.orders import roll_out

    with service_at(url, token_file) as client:
        typer.echo(roll_out(client, path))
