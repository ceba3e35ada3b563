# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The picture of what grows with people is a page that every browser reads, and slopes in it can be compared."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from ansible_collections.ilnmors.mail.tests.bench.growth_picture import draw, short

SVG = "{http://www.w3.org/2000/svg}"
PANELS = [
    ("level & long", {10: 80.0, 100: 80.0, 1000: 80.0}),
    ("as people", {10: 0.02, 100: 0.2, 1000: 2.0}),
    ("nothing at first", {10: 0.0, 1000: 3.0}),
]


def polylines(panel: ET.Element, kind: str) -> list[tuple[float, float]]:
    line = next(one for one in panel.iter(f"{SVG}polyline") if one.get("class") == kind)
    return [(float(x), float(y)) for x, y in re.findall(r"([-\d.]+),([-\d.]+)", line.get("points", ""))]


def slope(points: list[tuple[float, float]]) -> float:
    (left, bottom), (right, top) = points[0], points[-1]
    return (bottom - top) / (right - left)


def test_the_slopes_of_all_panels_are_alike() -> None:
    picture = ET.fromstring(draw(PANELS))
    level, even, __ = picture.findall(f"{SVG}g")
    assert slope(polylines(level, "curve")) == 0
    assert slope(polylines(even, "curve")) == pytest.approx(slope(polylines(level, "even")), rel=0.01)


def test_titles_are_text() -> None:
    texts = [text.text for text in ET.fromstring(draw(PANELS)).iter(f"{SVG}text")]
    assert {title for title, __ in PANELS} <= set(texts)
    assert {"80.0", "0.02", "3.0"} <= set(texts)


@pytest.mark.parametrize(
    ("value", "written"), [(0.0123, "0.012"), (0.5, "0.5"), (1.26, "1.3"), (99.6, "99.6"), (1234.5, "1,234")]
)
def test_figures_are_short(value: float, written: str) -> None:
    assert short(value) == written
