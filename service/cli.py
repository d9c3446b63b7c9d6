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
    output: Annotated[
        Path, typer.Option(help="The folder for demo.json, demo.log and demo.flight.jsonl.")
    ] = Path("build"),
) -> None:
    """Serve a real language model from a supervision tree, break it, and watch it heal."""
    # Here, so that `failsoft --help` doesn't wait for what only the demo needs.
    from failsoft.service.demo import run_demo

    raise typer.Exit(run_demo(output))


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="What the flight recorder has written.")],
    routine: Annotated[
        bool, typer.Option("--routine", help="Show what is nothing unusual, too.")
    ] = False,
) -> None:
    """Tell the story of an outage, from a file of the flight recorder's."""
    from rich.console import Console

    from failsoft.service.replay_view import print_story

    raise typer.Exit(print_story(file, Console(), shows_routine=routine))


def main() -> None:
    """Run the command line."""
    app()
