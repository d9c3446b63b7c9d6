"""A page of the docs with tables that the code makes: written anew, or told to be stale."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path


def first_words(kind: type) -> str:
    """Give the first paragraph of a class's docstring, as a page has it."""
    first, _, _ = (kind.__doc__ or "").partition("\n\n")
    return " ".join(first.split()).replace("``", "`")


def write_page(
    module: str, page: Path, filled: Callable[[str], str], arguments: Sequence[str] | None
) -> int:
    """Be the program ``python -m module [PAGE] [--check]``; give its exit status.

    page: the usual one. filled: gives a page's text with its tables as they are to be.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}")
    parser.add_argument("page", nargs="?", type=Path, default=page)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where it is stale")
    options = parser.parse_args(arguments)
    before = options.page.read_text()
    after = filled(before)
    if options.check:
        if after != before:
            print(f"{options.page} is stale: run python -m {module}")
        return int(after != before)
    options.page.write_text(after)
    return 0
