"""``failsoft restart``."""

from __future__ import annotations

from typing import Annotated

import typer

from failsoft.service.commands.running_service import DEFAULT_URL, TokenFile, Url, service_at


def restart(
    path: Annotated[str, typer.Argument(help="Of the actor, as `failsoft tree` shows it.")],
    url: Url = DEFAULT_URL,
    token_file: TokenFile = None,
) -> None:
    """Stop an actor of a running service in order, and start it again."""
    from failsoft.service.client.orders import restart_actor

    with service_at(url, token_file) as client:
        typer.echo(restart_actor(client, path))
