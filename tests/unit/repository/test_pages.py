# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pages are found: each link leads to a file and a heading, and a long page begins with its table of contents."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = [
    path
    for place in ("*.md", "docs/**/*.md", "molecule/*.md", "roles/**/*.md")
    for path in sorted(ROOT.glob(place))
]
LONG = 150
"""Lines of a page that needs a table of contents."""


def text(page: Path) -> str:
    """Return a page without its code, in which a hash begins a comment."""
    return re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def headings(page: Path, level: str = "#{1,6}") -> list[str]:
    return re.findall(rf"^{level} (.+)$", text(page), re.MULTILINE)


def anchor(heading: str) -> str:
    """Return the anchor of a heading, as GitHub and Forgejo make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def links(page: Path) -> list[tuple[str, str]]:
    """Return the page's links into the repository: file, and anchor."""
    found = re.findall(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)", text(page))
    return [(str(file), str(heading)) for file, heading in found]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for file, heading in links(page):
        target = page.parent / file if file else page
        assert target.exists(), file
        assert not heading or heading in map(anchor, headings(target)), f"{file}#{heading}"


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.name != "CHANGELOG.md" and len(page.read_text().splitlines()) > LONG],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_a_long_page_has_a_table_of_contents(page: Path) -> None:
    before, __, __ = text(page).partition("\n## ")
    listed = re.findall(r"\]\(#([^)]+)\)", before)
    assert listed in ([anchor(heading) for heading in headings(page, level)] for level in ("##", "#{2,3}"))
