"""The tables of docs/telemetry.md, made from the code: ``python -m failsoft.telemetry.catalogue``.

Each stands between two comments of the page, and what is between them is written anew.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Final

from failsoft.messages import events, http_events, pool_events, trace_events
from failsoft.messages.events import Event
from failsoft.telemetry import events as own_events
from failsoft.telemetry.families import Family
from failsoft.telemetry.log import LINE_FIELDS
from failsoft.telemetry.metrics import Metrics
from failsoft.telemetry.page_tables import first_words, write_page

EVENT_MODULES: Final[tuple[ModuleType, ...]] = (
    events,
    pool_events,
    trace_events,
    http_events,
    own_events,
)
PAGE: Final = Path("docs/telemetry.md")

Row = Sequence[str]


def metric_rows() -> Iterator[Row]:
    """Give each metric: its name in a scrape, its type, its labels, and what it is."""
    for family in vars(Metrics()).values():
        if isinstance(family, Family):
            (told,) = family.metric.describe()
            name = told.name + "_total" * (told.type == "counter")
            yield f"`{name}`", told.type, _names(family.labels), told.documentation
    yield "`failsoft_build_info`", "gauge", "`version`, `python`", "1."


def event_rows() -> Iterator[Row]:
    """Give each event: its name, its fields but ``path`` and ``at``, and what it tells."""
    for module in EVENT_MODULES:
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, Event) and _is_of(kind, module):
                fields = [name for name in kind.__struct_fields__ if name not in ("path", "at")]
                yield f"`{kind.__name__}`", _names(fields), first_words(kind)


def log_rows() -> Iterator[Row]:
    """Give each field that a log line may have besides those of its event."""
    for name, told in LINE_FIELDS.items():
        yield f"`{name}`", told


def filled(page: str) -> str:
    """Give ``page`` with its tables as they are to be."""
    tables = {
        "metrics": _table(("metric", "type", "labels", "is"), metric_rows()),
        "events": _table(("event", "fields", "tells"), event_rows()),
        "log": _table(("field", "is"), log_rows()),
    }
    for name, table in tables.items():
        begin, end = f"<!-- table: {name} -->", "<!-- end of table -->"
        pattern = re.compile(f"{begin}\n.*?{end}", re.DOTALL)
        page, found = pattern.subn(f"{begin}\n{table}{end}".replace("\\", r"\\"), page)
        if found != 1:
            raise ValueError(f"the page must have {begin!r} once, and it has it {found} times")
    return page


def _is_of(kind: type, module: ModuleType) -> bool:
    return kind is not Event and kind.__module__ == module.__name__


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(heads: Row, rows: Iterator[Row]) -> str:
    lines = (heads, ["---"] * len(heads), *rows)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main(arguments: list[str] | None = None) -> int:
    """Write the page anew; with ``--check`` only tell whether that would change it."""
    return write_page("failsoft.telemetry.catalogue", PAGE, filled, arguments)


if __name__ == "__main__":
    sys.exit(main())
