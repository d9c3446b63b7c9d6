"""Progress of fetching, drawn without a terminal."""

from __future__ import annotations

import io

from failsoft.service.smollm2 import Progress
from failsoft.service.smollm2_progress import drawn_progress


def test_without_a_terminal_each_phase_has_a_line_at_its_start_and_end() -> None:
    """However often progress is told, a log gets two lines a phase."""
    output = io.StringIO()
    with drawn_progress(output) as draw:
        for done in range(0, 3_000_001, 1_000_000):
            draw(Progress("download", done, 3_000_000))
        draw(Progress("de-quantise", 272, 272, "tensors"))
    assert output.getvalue().splitlines() == [
        "Downloading SmolLM2 …",
        "Downloading SmolLM2: done (3 MB)",
        "De-quantising …",
        "De-quantising: done (272 tensors)",
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_it_draws_bars() -> None:
    """Each phase has a bar with its name and its share."""
    output = Terminal()
    with drawn_progress(output) as draw:
        draw(Progress("download", 1, 2))
        draw(Progress("save", 5, 5))
    assert "Downloading SmolLM2" in output.getvalue()
    assert "100%" in output.getvalue()
