"""``failsoft demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    output: Annotated[
        Path, typer.Option(help="The folder for demo.json, demo.log and demo.flight.jsonl.")
    ] = Path("build"),
    cluster: Annotated[
        bool, typer.Option("--cluster", help="On a Ray cluster of three nodes, on this machine.")
    ] = False,
) -> None:
    """Serve a real language model from a supervision tree, break it, and watch it heal."""
    from failsoft.service.demo import run_demo

    raise typer.Exit(run_demo(output, cluster=cluster))
