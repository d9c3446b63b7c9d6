"""The page: what came of it at a glance, then a section for each benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.figures import Figure, aim_of, number
from bench.page.markup import element, listing, picture, table
from bench.report import Report

_STYLE = Path(__file__).with_name("page.css")
_HEADS = ("what", "unit", "failsoft", "peer", "peer's", "times as good", "aim", "")
_COUNTED = ("benchmark", "what", "failsoft is better", "the peer is better", "aims met")
_ABOUT = (
    "Each figure is a median, with the least and the most of its rounds. Ours and the peer take "
    "turns, so that what the machine does hits both, and a ratio is taken round by round. Times as "
    "good: 2 is twice the rate, or half the time; under 1 the peer is better. A peer that is "
    "called a part is what ours is built on, or does only a part of the work: it is there to be "
    "held against. On another machine trust the ratios, and not the times."
)


def document(reports: Sequence[Report], folder: Path, ratios: Sequence[str] = ()) -> str:
    """Give the page's HTML. ratios: the files of the chart of all ratios."""
    body = element(
        "main",
        element("h1", "failsoft, measured"),
        element("p", _ABOUT),
        _glance(reports),
        *_pictures(ratios, folder),
        *(_section(report, folder) for report in reports),
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>failsoft, measured</title>\n<style>\n{_STYLE.read_text()}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _glance(reports: Sequence[Report]) -> str:
    """Say how many aims are met, and name those that aren't, and where a peer wins."""
    figures = [(report, figure) for report in reports for figure in report.figures]
    judged = [(report, figure) for report, figure in figures if figure.is_met is not None]
    missed = [each for each in judged if not each[1].is_met]
    rivals = [each for each in figures if each[1].gain is not None and each[1].is_rival]
    lost = [each for each in rivals if each[1].peer_wins]
    skipped = [
        f"{report.name}: {peer}, {why}"
        for report in reports
        for peer, why in report.skipped.items()
    ]
    return element(
        "section",
        element("h2", "At a glance"),
        element(
            "p",
            f"{len(judged) - len(missed)} of {len(judged)} aims are met. Of {len(rivals)} "
            f"comparisons with somebody who does the same, the peer wins {len(lost)}.",
        ),
        table(_COUNTED, map(_counts, reports)),
        *_named("Where the peer wins", (_line(*each) for each in lost)),
        *_named("Aims that are missed", (_line(*each) for each in missed)),
        *_named("Peers that are left out, and count as nothing", skipped),
    )


def _counts(report: Report) -> tuple[str, ...]:
    """Give a benchmark's row of the glance, which leads to its section."""
    rivals = [each for each in report.figures if each.gain is not None and each.is_rival]
    lost = sum(each.peer_wins for each in rivals)
    judged = [each.is_met for each in report.figures if each.is_met is not None]
    return (
        element("a", report.name, href=f"#{report.name}"),
        report.about,
        str(len(rivals) - lost),
        str(lost),
        f"{sum(judged)} of {len(judged)}" if judged else "",
    )


def _line(report: Report, figure: Figure) -> str:
    said = f"{report.name}: {figure.name}, {figure.unit}"
    if figure.gain is not None:
        said += f"; {figure.peer}: {number(figure.gain)} times as good"
    aim = aim_of(figure)
    return f"{said}, aim: {aim}" if aim else said


def _named(name: str, lines: Iterable[str]) -> list[str]:
    lines = list(lines)
    return [element("h3", name), listing(lines)] if lines else []


def _section(report: Report, folder: Path) -> str:
    cpus = f"{report.cpus} cores" if report.cpus else "an unknown number of cores"
    versions = ", ".join(f"{name} {number}" for name, number in report.versions.items())
    settings = [f"{peer}: {said}" for peer, said in report.settings.items()]
    return element(
        "section",
        element("h2", f"{report.name}: {report.about}"),
        element("p", element("code", report.command), kind="command"),
        element(
            "p",
            f"{report.at}, {report.machine}, {cpus}, in {report.seconds:.0f} s; {versions}",
            kind="soft",
        ),
        *_named("How each is set up", settings),
        *_named("Left out", (f"{peer}: {why}" for peer, why in report.skipped.items())),
        *([table(_HEADS, map(_row, report.figures))] if report.figures else []),
        *(
            element(
                "div",
                element("h3", each.title),
                table(each.columns, each.rows),
                element("p", each.note, kind="soft"),
            )
            for each in report.tables
        ),
        *_pictures(report.charts, folder),
        id=report.name,
    )


def _row(figure: Figure) -> tuple[str, ...]:
    peer = figure.peer or ""
    return (
        figure.name,
        figure.unit,
        number(figure.ours),
        peer if figure.is_rival or not peer else f"{peer} (a part)",
        "" if figure.theirs is None else number(figure.theirs),
        "" if figure.gain is None else number(figure.gain),
        aim_of(figure),
        _verdict(figure),
    )


def _verdict(figure: Figure) -> str:
    said = [] if figure.is_met is None else ["as aimed at" if figure.is_met else "aim missed"]
    if figure.peer_wins:
        said.append("the peer wins")
    elif figure.gain is not None and figure.gain.median < 1:
        said.append("the part is better")
    return "; ".join(said)


def _pictures(names: Sequence[str], folder: Path) -> list[str]:
    """Show charts as SVG, which are written beside a PNG each."""
    drawn = (folder / name for name in names if name.endswith(".svg"))
    return [picture(file) for file in drawn if file.exists()]
