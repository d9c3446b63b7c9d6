"""``failsoft check``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def check(
    file: Annotated[
        Path | None, typer.Argument(help="The tree, as docs/config.md has it; else the default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Give the JSON Schema of such files, for editors.")
    ] = False,
) -> None:
    """Say all that is wrong with a tree's file, or what it would load where. Starts nothing."""
    if schema:
        from failsoft.service.config.schema import schema_of_files

        typer.echo(json.dumps(schema_of_files(), indent=2))
        return
    from rich.console import Console

    from failsoft.service.config.checking import as_data, show
    from failsoft.service.config.checking import check as checked_file

    checked = checked_file(file)
    if as_json:
        typer.echo(json.dumps(as_data(checked), indent=2))
    else:
        show(checked, Console(stderr=bool(checked.mistakes)))
    raise typer.Exit(checked.status)
