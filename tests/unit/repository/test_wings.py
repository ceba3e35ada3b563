# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The map in CONTRIBUTING.md is true: which wings there are, and which of them imports which."""

from __future__ import annotations

import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[3]
WINGS = ROOT / "plugins" / "module_utils"
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
MAP = {
    wing: set(re.findall(r"_\w+", imports))
    for wing, imports in re.findall(r"^\| `(_\w+)` \|.*\| ([^|]*)\|$", PAGE, re.MULTILINE)
}


def found() -> Iterator[tuple[str, str]]:
    """Yield each wing with a wing that one of its files imports."""
    for file in WINGS.rglob("*.py"):
        for imported in re.findall(r"plugins\.module_utils\.(\w+)", file.read_text()):
            yield file.relative_to(WINGS).parts[0], imported


def test_every_file_is_in_a_wing_of_the_map() -> None:
    assert {path.name for path in WINGS.iterdir() if path.name != "__pycache__"} == set(MAP)


def test_wings_import_what_the_map_says() -> None:
    imports: dict[str, set[str]] = {wing: set() for wing in MAP}
    for wing, imported in found():
        imports[wing] |= {imported} - {wing}
    assert imports == MAP


def test_imports_go_one_way() -> None:
    TopologicalSorter(MAP).prepare()  # raises CycleError


def test_the_page_names_files_that_are_there() -> None:
    for name in re.findall(r"`((?:_\w+|roles|tests|plugins|playbooks|molecule)/[\w/.-]+\.\w+)`", PAGE):
        base = WINGS if name.startswith("_") else ROOT
        assert (base / name).exists(), name
    for name in re.findall(r"`((?:tests|plugins|molecule|inventories)/[\w/-]*)/`", PAGE):
        assert (ROOT / name).is_dir(), name
    assert (ROOT / "roles/mbsync_fetch/files/mbsync_fetch").is_dir()


def test_the_glossary_stays_short() -> None:
    __, __, words = PAGE.partition("## Words")
    assert 10 < len(re.findall(r"^\| \w", words, re.MULTILINE)) <= 30
