"""``failsoft replay``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


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
