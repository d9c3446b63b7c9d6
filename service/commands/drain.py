"""``failsoft drain``."""

from __future__ import annotations

from typing import Annotated

import typer

from failsoft.service.commands.running_service import DEFAULT_URL, TokenFile, Url, service_at


def drain(
    path: Annotated[
        str | None, typer.Argument(help="Of a model that a router asks; else the whole service.")
    ] = None,
    url: Url = DEFAULT_URL,
    token_file: TokenFile = None,
) -> None:
    """Have a model, or a whole running service, take no more work; what is in hand is answered."""
    from failsoft.service.client.orders import drain_model, drain_service

    with service_at(url, token_file) as client:
        typer.echo(drain_service(client) if path is None else drain_model(client, path))
