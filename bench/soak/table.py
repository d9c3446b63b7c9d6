"""The tables of docs/soak.md, made from a run's figures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from bench.soak.ends import ANSWERED, BAD, LEFT, UNTAKEN
from bench.soak.growth import WORDS, Growth
from bench.soak.ledger import totals
from bench.soak.report import Report

BEGIN: Final = "<!-- soak -->"
END: Final = "<!-- end of soak -->"


def write(report: Report, page: Path) -> None:
    """Write the page's tables anew."""
    page.write_text(filled(page.read_text(encoding="utf-8"), report), encoding="utf-8")


def filled(page: str, report: Report) -> str:
    """Give ``page`` with what stands between its two comments made from ``report``.

    Raise ValueError where it doesn't have both, once.
    """
    pattern = re.compile(f"{BEGIN}\n.*?{END}", re.DOTALL)
    made = f"{BEGIN}\n{tables_of(report)}{END}"
    page, found = pattern.subn(made.replace("\\", r"\\"), page)
    if found != 1:
        raise ValueError(f"the page must have {BEGIN!r} … {END!r} once, and has it {found} times")
    return page


def tables_of(report: Report) -> str:
    """Give what a run has shown: in words, by the way of asking, and by what may not grow."""
    signals = ", ".join(f"{count} {name}" for name, count in sorted(report.signals.items()))
    moments = ", ".join(f"{count} {name}" for name, count in sorted(report.by_moment().items()))
    wrongs = "; ".join(report.wrongs())
    return (
        f"{report.seconds / 60:.0f} minutes, seed {report.seed}: {report.asked:,} requests, "
        f"{report.bursts} bursts; {len(report.faults)} faults ({moments}; by signal: {signals}); "
        f"{report.alerts} alerts. Exit status {report.status}, {len(report.orphans)} orphans, "
        f"{len(report.left)} files left. "
        f"{f'Not as it must be: {wrongs}.' if wrongs else 'All as it must be.'}\n\n"
        + _table(("asked by", "requests", "answered", "refused", "left", *BAD), _ways(report))
        + "\n"
        + _table(
            ("what", "least", "most", "an hour adds", "99 % sure", "may add"),
            map(_growth, report.growths),
        )
    )


def _ways(report: Report) -> Iterator[Sequence[str]]:
    for way, ends in (*sorted(report.ends.items()), ("all", totals(report.ends))):
        plain = (ANSWERED, LEFT, UNTAKEN, *BAD)
        refused = ", ".join(f"{n} {end}" for end, n in sorted(ends.items()) if end not in plain)
        left = ends.get(LEFT, 0) + ends.get(UNTAKEN, 0)
        bad = (str(ends.get(end, 0)) for end in BAD)
        asked = sum(ends.values())
        yield way, f"{asked:,}", f"{ends.get(ANSWERED, 0):,}", refused, f"{left:,}", *bad


def _growth(growth: Growth) -> Sequence[str]:
    line = growth.line
    return (
        WORDS[growth.name],
        f"{growth.least:,.1f}",
        f"{growth.most:,.1f}",
        "" if line is None else f"{line.slope:+.2f}",
        "" if line is None else f"{line.low:+.2f} to {line.high:+.2f}",
        "" if growth.bound is None else f"{growth.bound:g}",
    )


def _table(heads: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    lines = (heads, ["---"] * len(heads), *rows)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
