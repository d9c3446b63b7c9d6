"""HTML, with all that comes from elsewhere escaped."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path


class Markup(str):
    """Be HTML already."""


def element(name: str, *children: str, kind: str = "", id: str = "", href: str = "") -> Markup:
    """Give an element; children that aren't markup are text."""
    named = {"class": kind, "id": id, "href": href}
    attributes = "".join(f' {key}="{escape(value)}"' for key, value in named.items() if value)
    inner = "".join(child if isinstance(child, Markup) else escape(child) for child in children)
    return Markup(f"<{name}{attributes}>{inner}</{name}>\n")


def listing(lines: Iterable[str]) -> Markup:
    return element("ul", *(element("li", line) for line in lines))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """Give a table that scrolls by itself where the window is narrow."""
    return element(
        "div",
        element(
            "table",
            element("thead", element("tr", *(element("th", head) for head in heads))),
            element("tbody", *(element("tr", *map(_cell, row)) for row in rows)),
        ),
        kind="wide",
    )


_KINDS = {"aim missed": "bad", "the peer wins": "bad", "as aimed at": "good"}


def _cell(text: str) -> Markup:
    kind = next((kind for said, kind in _KINDS.items() if said in text), "")
    return element("td", text, kind=kind)


def picture(file: Path) -> Markup:
    """Show an SVG, which lies in the page itself."""
    drawn = base64.b64encode(file.read_bytes()).decode("ascii")
    name = escape(file.stem.replace("_", " "))
    return Markup(f'<img alt="{name}" src="data:image/svg+xml;base64,{drawn}">\n')
