# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Imports between the packages of the fetcher go one way."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import mbsync_fetch
import pytest

ROOT = Path(mbsync_fetch.__file__).parent
ORDER = (
    "account",
    "imap",
    "remote",
    "local",
    "mbsync",
    "record",
    "status",
    "selection",
    "mailbox_fetch",
    "account_fetch",
    "statement",
    "importer",
)
"""Each may import from those before it. The last two import from no fetch."""
FETCHES = {"mailbox_fetch", "account_fetch"}
APART = "watch"
"""It imports nothing of the others, and none of them imports it."""
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.glob("*/*.py"))


def rooms(module: Path) -> Iterator[str]:
    """Yield the packages that a module imports from, also where it does so late."""
    for node in ast.walk(ast.parse((ROOT / module).read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names = (node.module or "").split(".")
            if node.level == 2:
                yield names[0] or node.names[0].name
            elif not node.level and names[0] == "mbsync_fetch":
                yield names[1]
            assert node.level <= 2


def test_every_module_lies_in_a_room() -> None:
    assert [path.name for path in ROOT.glob("*.py")] == ["__init__.py"]
    assert {path.parts[0] for path in MODULES} == {*ORDER, APART}


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_it_imports_from_rooms_before_its_own(module: Path) -> None:
    room = module.parts[0]
    allowed = {APART} if room == APART else set(ORDER[: ORDER.index(room)])
    if room in ("statement", "importer"):
        allowed -= FETCHES | {"statement"}
    assert set(rooms(module)) <= allowed


def test_the_readme_shows_the_rooms_in_this_order() -> None:
    """Its map also names files: each of them is there."""
    text = (ROOT.parents[1] / "README.md").read_text("utf-8").partition("## How the program is laid out")[2]
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == [*ORDER, APART]
    named = set(re.findall(r"`(?:(\w+)/)?(\w+\.py)`", text))
    assert len(named) > 10
    assert [
        (room, name) for room, name in sorted(named) if not list(ROOT.glob(f"{room or '*'}/{name}"))
    ] == []
