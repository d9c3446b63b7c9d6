"""``failsoft doctor``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from failsoft.service.commands.running_service import TokenFile, service_at

if TYPE_CHECKING:
    from failsoft.service.doctor.finding import Finding


def doctor(
    file: Annotated[
        Path | None, typer.Argument(help="The tree, as docs/config.md has it; else this machine.")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="Of a running service, to be checked instead.")
    ] = None,
    token_file: TokenFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Check a deployment, and say what to do: this machine, a tree's file, a running service."""
    from rich.console import Console

    from failsoft.service.doctor.examine import examine_file, examine_machine, examine_service
    from failsoft.service.doctor.report import as_data, count, show

    if file is not None and url is not None:
        raise typer.BadParameter("give a file or --url, not both")

    def tell(findings: Iterable[Finding]) -> None:
        if as_json:
            seen = tuple(findings)
            typer.echo(json.dumps(as_data(seen), indent=2))
        else:
            seen = show(findings, Console())
        raise typer.Exit(int(count(seen, "fail") > 0))

    if url is not None:
        with service_at(url, token_file) as client:
            tell(examine_service(client))
    tell(examine_machine() if file is None else examine_file(file))
