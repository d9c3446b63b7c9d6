"""The page and what two runs are held against: all of it from reports, none of it measured here."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from bench import compare, page
from bench.figures import Figure, against
from bench.page.document import document
from bench.report import Measuring, Report, Table, reports_in


class Ends(HTMLParser):
    """Check that what is opened is closed, and keep the text, and what would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img"):
            self.open.append(tag)
        links = [value or "" for key, value in attributes if key in ("src", "href")]
        self.sources += [link for link in links if not link.startswith("#")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def report(*figures: Figure, name: str = "runtime", **rest: object) -> Report:
    made = Measuring(name, "how <fast> it is", ["--quick"])
    made.figures += figures
    return msgspec.structs.replace(made.report(), **rest)


def figure(*pairs: tuple[float, float], **rest: object) -> Figure:
    return against("ask & tell", "µs", pairs or [(1.0, 2.0)], peer="<b>peer</b>", **rest)


def read(html: str) -> Ends:
    ends = Ends()
    ends.feed(html)
    assert ends.open == []
    return ends


# -- the page


def test_the_page_says_where_a_peer_wins_and_which_aim_is_missed(tmp_path: Path) -> None:
    """In the glance, and in the row of the table."""
    lost = report(figure((1.0, 2.0), at_least=0.9), figure((3.0, 2.0)))
    said = read(document([lost], tmp_path)).text
    assert "0 of 1 aims are met. Of 2 comparisons" in said
    assert "the peer wins 1." in said
    assert said.count("aim missed; the peer wins") == 1


def test_each_benchmark_is_counted_and_led_to(tmp_path: Path) -> None:
    """What ours does better, what the peer does, and how many aims are met."""
    told = report(figure((1.0, 2.0)), figure((3.0, 2.0), at_least=1.0), name="http")
    html = document([told], tmp_path)
    assert '<a href="#http">http</a>' in html
    assert 'id="http"' in html
    row = "".join(html.partition("<tbody>")[2].partition("</tr>")[0].split())
    assert row.endswith("<td>1</td><td>1</td><td>1of1</td>")


def test_a_peer_that_does_only_a_part_counts_in_no_comparison(tmp_path: Path) -> None:
    said = read(document([report(figure((1.0, 2.0), is_rival=False))], tmp_path)).text
    assert "Of 0 comparisons" in said
    assert "<b>peer</b> (a part)" in said


def test_all_that_is_told_is_text(tmp_path: Path) -> None:
    """Names, settings and tables are escaped; nothing is fetched from anywhere."""
    table = Table(title="<i>t</i>", columns=("<u>",), rows=(("<script>",),), note="<em>")
    told = report(figure(), tables=(table,), settings={"<a>": "<p>"}, skipped={"<q>": "<s>"})
    seen = read(document([told], tmp_path))
    for word in ("<i>t</i>", "<u>", "<script>", "<em>", "<a>: <p>", "<q>: <s>", "how <fast> it is"):
        assert word in seen.text
    assert seen.sources == []


def test_charts_lie_in_the_page(tmp_path: Path) -> None:
    """As SVG; one that isn't there is left out."""
    (tmp_path / "drawn.svg").write_text("<svg/>")
    told = report(figure(), charts=("drawn.png", "drawn.svg", "gone.svg"))
    (source,) = read(document([told], tmp_path)).sources
    assert source.startswith("data:image/svg+xml;base64,")


def test_the_command_makes_a_page_of_the_reports_in_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is no report is another's file. Without any, it is said what to run."""
    assert page.main([str(tmp_path)]) == 1
    assert "run python -m bench first" in capsys.readouterr().out
    (tmp_path / "simulate_runs.json").write_text("[]")
    (tmp_path / "runtime.json").write_bytes(msgspec.json.encode(report(figure())))
    assert page.main([str(tmp_path)]) == 0
    assert "runtime: how <fast> it is" in read((tmp_path / "index.html").read_text()).text


def test_reports_come_in_the_order_of_the_benchmarks(tmp_path: Path) -> None:
    for name in ("cost", "runtime", "another"):
        (tmp_path / f"{name}.json").write_bytes(msgspec.json.encode(report(name=name)))
    assert [each.name for each in reports_in(tmp_path)] == ["runtime", "cost", "another"]


# -- two runs


@pytest.mark.parametrize(
    ("new", "status", "word"),
    [
        ([(2.0, 2.0), (1.8, 2.0)], 1, "WORSE"),
        ([(0.5, 2.0), (0.6, 2.0)], 0, "better"),
        ([(1.0, 2.0), (1.3, 2.0)], 0, None),
    ],
)
def test_a_change_counts_where_the_spreads_are_apart(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    new: list[tuple[float, float]],
    status: int,
    word: str | None,
) -> None:
    """The exit status is 1 where something became worse."""
    old, now = tmp_path / "old.json", tmp_path / "new.json"
    before = figure((1.0, 2.0), (1.2, 2.0), less_is_better=True)
    old.write_bytes(msgspec.json.encode(report(before)))
    now.write_bytes(msgspec.json.encode(report(figure(*new, less_is_better=True))))
    assert compare.main([str(old), str(now)]) == status
    said = capsys.readouterr().out
    assert [name for name in ("WORSE", "better:") if name in said] == (
        [f"{word}:" if word == "better" else word] if word else []
    )


def test_times_of_two_runs_are_never_compared(tmp_path: Path) -> None:
    """Another machine's ratio is the same, though all took ten times as long."""
    change = compare.changes(
        [report(figure((1.0, 2.0), less_is_better=True))],
        [report(figure((10.0, 20.0), less_is_better=True))],
    )
    assert [each.is_worse or each.is_better for each in change] == [False]


def test_runs_with_nothing_in_common(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Say so, and are no success."""
    assert compare.main([str(tmp_path), str(tmp_path)]) == 2
    assert "run the same benchmarks twice" in capsys.readouterr().out
