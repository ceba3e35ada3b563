# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A picture of figures that change with a number of people: one small panel each, all with the same slopes.

Both axes are logarithmic, and a panel is as many decades high as it is wide: what grows as people do runs along the
dashed line, what does not is level.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

Panel = tuple[str, Mapping[int, float]]
"""A title, and its values by the number of people."""

COLUMNS = 3
WIDTH, HEIGHT = 300, 220
"""Of a panel with its margins, in pixels."""
LEFT, RIGHT, TOP, BOTTOM = 22, 22, 38, 30

STYLE = """
  .paper { fill: #ffffff } .frame { fill: #f6f8fa } .grid { stroke: #d0d7de }
  text { font: 12px system-ui, sans-serif; fill: #57606a } .title, .value { fill: #1f2328 } .value { font-weight: 600 }
  .even { stroke: #8c959f; stroke-dasharray: 4 4; fill: none }
  .curve { stroke: #0969da; stroke-width: 2; fill: none } .point { fill: #0969da }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117 } .frame { fill: #161b22 } .grid { stroke: #30363d }
    text { fill: #9198a1 } .title, .value { fill: #f0f6fc } .even { stroke: #6e7681 }
    .curve { stroke: #4493f8 } .point { fill: #4493f8 }
  }
"""


def short(value: float) -> str:
    """Write a figure with two or three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def draw(panels: Sequence[Panel]) -> str:
    """Return the picture as SVG, which follows the reader's light or dark colours."""
    rows = math.ceil(len(panels) / COLUMNS)
    width, height = COLUMNS * WIDTH, rows * HEIGHT + 24
    drawn = "".join(
        f'<g transform="translate({index % COLUMNS * WIDTH} {index // COLUMNS * HEIGHT})">\n{draw_panel(*panel)}</g>\n'
        for index, panel in enumerate(panels)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="What grows with people">\n<style>{STYLE}</style>\n'
        f'<rect class="paper" width="{width}" height="{height}"/>\n{drawn}'
        f'<text x="{LEFT}" y="{height - 10}">Across: people. Both axes are logarithmic and alike: what grows as people '
        "do runs as the dashed line, what does not grow is level.</text>\n</svg>\n"
    )


def draw_panel(title: str, values: Mapping[int, float]) -> str:
    """Return one panel."""
    numbers, found = list(values), list(values.values())
    first, decades = math.log10(numbers[0]), math.log10(numbers[-1] / numbers[0])
    # As high as it is wide, by the middle of the values.
    lowest, highest = (math.log10(max(bound(found), 1e-6)) for bound in (min, max))
    foot = (lowest + highest - decades * 1.15) / 2
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(number: float) -> float:
        return round(LEFT + 18 + (inner_width - 36) * (math.log10(number) - first) / decades, 1)

    def y(value: float) -> float:
        height = (math.log10(max(value, 1e-6)) - foot) / (decades * 1.15)
        return round(TOP + inner_height * (1 - height), 1)

    lines = [
        f'<text class="title" x="{LEFT}" y="{TOP - 14}">{escape(title)}</text>',
        f'<rect class="frame" x="{LEFT}" y="{TOP}" width="{inner_width}" height="{inner_height}"/>',
    ]
    for number in numbers:
        lines += [
            f'<line class="grid" x1="{x(number)}" x2="{x(number)}" y1="{TOP}" y2="{TOP + inner_height}"/>',
            f'<text x="{x(number)}" y="{TOP + inner_height + 16}" text-anchor="middle">{number:,}</text>',
        ]
    middle = 10 ** ((math.log10(numbers[0]) + math.log10(numbers[-1])) / 2)
    centre = 10 ** (foot + decades * 1.15 / 2)
    even = [(number, centre * number / middle) for number in (numbers[0], numbers[-1])]
    lines.append(f'<polyline class="even" points="{" ".join(f"{x(n)},{y(v)}" for n, v in even)}"/>')
    points = [(x(number), y(value), value) for number, value in values.items()]
    lines.append(f'<polyline class="curve" points="{" ".join(f"{px},{py}" for px, py, __ in points)}"/>')
    for px, py, value in points:
        lines += [
            f'<circle class="point" cx="{px}" cy="{py}" r="3.5"/>',
            f'<text class="value" x="{px}" y="{py - 8}" text-anchor="middle">{short(value)}</text>',
        ]
    return "\n".join(lines) + "\n"
