"""Draw curves of losses as a small SVG, with no library: it lies beside the weights."""

from __future__ import annotations

import math
from pathlib import Path

_WIDTH, _HEIGHT, _EDGE = 480, 260, 46
_COLOURS = ("#0072B2", "#E69F00", "#009E73")


def draw_losses(curves: dict[str, list[tuple[int, float]]], title: str, file: Path) -> None:
    """Write a line for each curve: its (step, loss) points, both over 0, the loss on a log scale.

    Each has the width to itself: what they share is the way to their own last step.
    """
    losses = [loss for curve in curves.values() for _, loss in curve]
    lowest, highest = math.log10(min(losses)), math.log10(max(losses))
    parts = [_text(_WIDTH / 2, 18, title, "middle")]
    for power in range(math.floor(lowest), math.ceil(highest) + 1):
        for digit in (1, 2, 5):
            value = math.log10(digit) + power
            if lowest <= value <= highest:
                y = _up(value, lowest, highest)
                parts.append(_line([(_EDGE, y), (_WIDTH - 10, y)], "#dddddd", 1))
                parts.append(_text(_EDGE - 6, y + 4, f"{10**value:.3g}", "end"))
    for (name, curve), colour in zip(curves.items(), _COLOURS, strict=False):
        last = curve[-1][0]
        points = [
            (
                _EDGE + (_WIDTH - 10 - _EDGE) * step / last,
                _up(math.log10(loss), lowest, highest),
            )
            for step, loss in curve
        ]
        parts.append(_line(points, colour, 2))
        place = 40 + 16 * list(curves).index(name)
        parts.append(_text(_WIDTH - 14, place, f"{name}, {last:,} steps", "end", colour))
    parts.append(_text(_WIDTH / 2, _HEIGHT - 8, "share of the steps", "middle"))
    body = "\n".join(parts)
    file.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'font-family="sans-serif" font-size="11">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )


def _up(value: float, lowest: float, highest: float) -> float:
    share = (value - lowest) / ((highest - lowest) or 1)
    return _HEIGHT - 30 - share * (_HEIGHT - 64)


def _line(points: list[tuple[float, float]], colour: str, width: int) -> str:
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#333333") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="{colour}">{text}</text>'
