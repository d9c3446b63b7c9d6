"""The doctor's report: findings as they come in, and what they come to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from failsoft.service.doctor.finding import Finding, Level

_STYLES: Final[dict[Level, str]] = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def show(findings: Iterable[Finding], console: Console) -> tuple[Finding, ...]:
    """Print each finding once it is there; give them all."""
    seen: list[Finding] = []
    for finding in findings:
        seen.append(finding)
        line = Table.grid(padding=(0, 2))
        line.add_column(width=4)
        line.add_column(overflow="fold")
        found = Text.assemble((f"{finding.check}: ", "bold"), finding.found)
        line.add_row(Text(finding.level, _STYLES[finding.level]), found)
        if finding.remedy:
            line.add_row("", Text(finding.remedy, "dim"))
        console.print(line)
    counts = (f"{count(seen, level)} {level}" for level in ("fail", "warn", "ok"))
    console.print(Text(", ".join(counts), "bold"))
    return tuple(seen)


def count(findings: Iterable[Finding], level: str) -> int:
    """Count the findings of a level."""
    return sum(finding.level == level for finding in findings)


def as_data(findings: tuple[Finding, ...]) -> dict[str, Any]:
    """Give them as plain data, for programs."""
    return {"ok": not count(findings, "fail"), "findings": msgspec.to_builtins(findings)}
