"""What a benchmark gives: figures, and what one must know to believe them."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import msgspec

from bench.figures import Figure, lines_of
from bench.names import BENCHMARKS, FURTHER
from bench.peers import version_of

OUTPUT = Path("build/bench")


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Tell what is no ratio: what each peer does, in words or numbers, a row each.

    columns: their heads, the first one for the peer. note: what one must know to read it.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Tell what was measured, of what, with what.

    at: when it began. versions: by package, of ours and the peers'. settings: how each peer was
    set up, in words. skipped: the peers that aren't here, with the reason. seconds: that all of it
    took. charts: the files that show it, in the report's folder.
    """

    name: str
    about: str
    at: str
    machine: str
    cpus: int | None
    command: str
    versions: dict[str, str]
    settings: dict[str, str] = {}
    skipped: dict[str, str] = {}
    seconds: float
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    charts: tuple[str, ...] = ()


class Measuring:
    """Take down what a benchmark finds, and write it."""

    def __init__(self, name: str, about: str, arguments: Sequence[str]) -> None:
        self.figures: list[Figure] = []
        self.tables: list[Table] = []
        self.versions: dict[str, str] = {"Python": platform.python_version()}
        self.settings: dict[str, str] = {}
        self.skipped: dict[str, str] = {}
        self.charts: list[str] = []
        self._name = name
        self._about = about
        self._command = " ".join(("python -m bench", name, *arguments))
        self._at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        self._began = perf_counter()

    def names(self, *packages: str) -> None:
        """Say of which versions they are, of those that are installed."""
        found = {package: version_of(package) for package in packages}
        self.versions |= {package: number for package, number in found.items() if number}

    def report(self) -> Report:
        return Report(
            name=self._name,
            about=self._about,
            at=self._at,
            machine=f"{platform.system()} on {platform.machine()}",
            cpus=os.cpu_count(),
            command=self._command,
            versions=self.versions,
            settings=self.settings,
            skipped=self.skipped,
            seconds=perf_counter() - self._began,
            figures=tuple(self.figures),
            tables=tuple(self.tables),
            charts=tuple(self.charts),
        )

    def write(self, folder: Path = OUTPUT) -> None:
        """Print the figures, and write them to ``folder``."""
        report = self.report()
        tables = (line for table in report.tables for line in lines_of_table(table))
        for line in (*lines_of(report.figures), *tables, *skipped_of(report)):
            print(line)
        folder.mkdir(parents=True, exist_ok=True)
        written = folder / f"{report.name}.json"
        written.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
        print(f"in {report.seconds:.0f} s, written to {written}")


def reports_in(place: Path) -> list[Report]:
    """Read a file, or all reports of a folder, in the order of the benchmarks' names."""
    files = [place] if place.is_file() else sorted(place.glob("*.json"))
    found = [report for report in map(_read, files) if report is not None]
    order = (*BENCHMARKS, *FURTHER)
    return sorted(found, key=lambda each: order.index(each.name) if each.name in order else 99)


def _read(file: Path) -> Report | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Report)
    except msgspec.DecodeError:  # what a benchmark keeps beside its report
        return None


def lines_of_table(table: Table) -> list[str]:
    """Give what is printed of a table: each column as wide as its widest cell."""
    rows = (table.columns, *table.rows)
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    printed = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return ["", table.title, *printed, *([table.note] if table.note else []), ""]


def skipped_of(report: Report) -> list[str]:
    """Give a line for each peer that wasn't measured."""
    return [f"left out: {peer}, {why}" for peer, why in report.skipped.items()]
