"""The command: read the reports, and write the page."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from bench import charts, page
from bench.page.document import document
from bench.report import OUTPUT, Report, reports_in


def main(arguments: list[str]) -> int:
    """Write the page; give the exit status: 1 where there is nothing to show."""
    parser = argparse.ArgumentParser(prog="python -m bench page", description=page.__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=OUTPUT, help="with the reports")
    options = parser.parse_args(arguments)
    reports = reports_in(options.folder)
    if not reports:
        print(f"no reports in {options.folder}: run python -m bench first")
        return 1
    drawn = _all_ratios(reports, options.folder)
    written = options.folder / "index.html"
    written.write_text(document(reports, options.folder, drawn))
    print(f"one page for all: {written}")
    return 0


def _all_ratios(reports: list[Report], folder: Path) -> list[str]:
    """Draw the ratios to all who do the same as ours, in one picture."""
    rivals = [
        msgspec.structs.replace(figure, name=f"{report.name}: {figure.name}")
        for report in reports
        for figure in report.figures
        if figure.is_rival
    ]
    return charts.ratios(rivals, folder / "all_ratios")
