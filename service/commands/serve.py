"""``failsoft serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    file: Annotated[
        Path | None, typer.Argument(help="The tree, as docs/config.md has it; else a small one.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="In place of the file's.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="In place of the file's.")
    ] = None,
) -> None:
    """Serve a tree over HTTP, until SIGTERM or Ctrl-C. SIGHUP has the file read again."""
    from failsoft.service.config import BadConfig
    from failsoft.service.config.serving import serve_tree

    try:
        raise typer.Exit(serve_tree(file, host=host, port=port))
    except BadConfig as error:
        typer.echo(error, err=True)
        raise typer.Exit(2) from error
