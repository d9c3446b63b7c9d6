"""Reloads: what the file is changed to before a SIGHUP."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Final

TREE: Final = Path(__file__).parent / "tree.toml"

_A_MISTAKE: Final = '\n[routes.broken]\nmodels = ["nobody"]\n'
_ONE_MORE: Final = '\n[routes.extra]\nmodels = ["understudy"]\n'


def changed(text: str, random: Random) -> str:
    """Draw another file than ``text``: of a changed model, router and list of routes some."""
    if random.random() < 0.5:
        text = text.replace("max_batch = 4", "max_batch = 5", 1)
    if random.random() < 0.3:
        text = text.replace("retries = 2", "retries = 1", 1)
    if random.random() < 0.5:
        text += _ONE_MORE
    if random.random() < 0.2:
        text += _A_MISTAKE
    return text
