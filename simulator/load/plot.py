"""The run as a picture: journeys begun, answers and their p99 for each second, as SVG.

Drawn by hand: two charts of lines need no plotting library, and the file opens anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

from simulator.load.tally import Second

WIDTH, HEIGHT = 720, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 28, 28


class Line(NamedTuple):
    """One curve. Told apart by its dashes too, not by its colour alone."""

    name: str
    values: Sequence[float]
    colour: str
    dashes: str = ""


def draw(title: str, seconds: Sequence[Second]) -> str:
    """The whole picture, as the text of an SVG file."""
    rates = [
        Line("answers", [float(second.answered) for second in seconds], "#1f5fa8"),
        Line("journeys begun", [float(second.begun) for second in seconds], "#5a5a5a", "6 3"),
        Line("no answer", [float(second.failed) for second in seconds], "#b3261e", "2 3"),
    ]
    latencies = [
        Line("p99", [second.latencies.percentile(0.99) * 1e3 for second in seconds], "#1f5fa8"),
        Line(
            "p50", [second.latencies.percentile(0.5) * 1e3 for second in seconds], "#5a5a5a", "6 3"
        ),
    ]
    height = 2 * HEIGHT + 24
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"'
            f' viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="11">',
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            f'<text x="{_LEFT}" y="16" font-size="13" font-weight="bold">{escape(title)}</text>',
            _chart("a second", rates, top=24),
            _chart("milliseconds to the answer", latencies, top=HEIGHT + 24),
            "</svg>\n",
        )
    )


def _chart(unit: str, lines: Sequence[Line], *, top: int) -> str:
    high = max((value for line in lines for value in line.values), default=0.0) or 1.0
    count = max((len(line.values) for line in lines), default=0)
    across = (WIDTH - _LEFT - _RIGHT) / max(count - 1, 1)
    down = (HEIGHT - _TOP - _BOTTOM) / high
    floor = top + HEIGHT - _BOTTOM

    def place(number: int, value: float) -> str:
        return f"{_LEFT + number * across:.1f},{floor - value * down:.1f}"

    parts = [_axes(high, count, floor, lambda value: floor - value * down)]
    for number, line in enumerate(lines):
        points = " ".join(place(*at) for at in enumerate(line.values))
        dashes = f' stroke-dasharray="{line.dashes}"' if line.dashes else ""
        parts.append(
            f'<polyline fill="none" stroke="{line.colour}" stroke-width="1.5"{dashes}'
            f' points="{points}"/>'
        )
        parts.append(_key(line, dashes, x=_LEFT + 170 + number * 130, y=top + 14))
    parts.append(f'<text x="{_LEFT}" y="{top + 18}">{escape(unit)}</text>')
    return "\n".join(parts)


def _key(line: Line, dashes: str, *, x: int, y: int) -> str:
    return (
        f'<line x1="{x}" x2="{x + 24}" y1="{y}" y2="{y}" stroke="{line.colour}"'
        f' stroke-width="2"{dashes}/><text x="{x + 30}" y="{y + 4}">{escape(line.name)}</text>'
    )


def _axes(high: float, count: int, floor: int, up: Callable[[float], float]) -> str:
    parts = []
    for value in (0.0, high / 2, high):
        y = up(value)
        parts.append(
            f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:,.4g}</text>'
        )
    for second, anchor in ((0, "start"), (count, "end")):
        x = _LEFT if anchor == "start" else WIDTH - _RIGHT
        parts.append(f'<text x="{x}" y="{floor + 16}" text-anchor="{anchor}">{second} s</text>')
    return "\n".join(parts)
