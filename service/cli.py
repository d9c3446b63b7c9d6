"""The ``failsoft`` command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def about() -> None:
    """Supervised inference: models that keep answering while their workers fail."""


@app.command()
def demo(
    output: Annotated[Path, typer.Option(help="The folder for demo.json and demo.log.")] = Path(
        "build"
    ),
) -> None:
    """Serve a real language model from a supervision tree, break it, and watch it heal."""
    # Here, so that `failsoft --help` doesn't wait for what only the demo needs.
    from failsoft.service.demo import run_demo

    raise typer.Exit(run_demo(output))


def main() -> None:
    """Run the command line."""
    app()
