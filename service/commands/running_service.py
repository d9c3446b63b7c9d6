"""What the commands share that speak to a running service: its address, and its refusals."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from failsoft.service.client.client import ServiceClient

DEFAULT_URL: Final = "http://127.0.0.1:8000"

Url = Annotated[
    str,
    typer.Option(
        "--url",
        envvar="FAILSOFT_URL",
        help="Where the service is, with the prefix that it is mounted under.",
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        help="A file with the operators' token; else it is taken from FAILSOFT_TOKEN.",
    ),
]


@contextmanager
def service_at(url: str, token_file: Path | None = None) -> Iterator[ServiceClient]:
    """Give a client of the service. What goes wrong in the block ends the command, in one line."""
    from failsoft.service.client.access import access_to
    from failsoft.service.client.client import ServiceClient
    from failsoft.service.client.errors import CommandFailed

    try:
        yield ServiceClient(access_to(url, os.environ, token_file))
    except CommandFailed as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(error.exit_status) from error
