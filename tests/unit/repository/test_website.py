# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The documentation site lists every page, and its pages name what there is: playbooks, variables, roles, modules."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from ansible_collections.ilnmors.mail.plugins.module_utils._site.description import KNOWN, ROLES
from ansible_collections.ilnmors.mail.plugins.module_utils._site.options import Context
from ansible_collections.ilnmors.mail.tests.unit.repository.ansible_plugins import plugins_loaded
from ansible_collections.ilnmors.mail.tests.unit.repository.test_role_specs import effective
from ansible_collections.ilnmors.mail.tests.unit.site.description import read

ROOT = Path(__file__).parents[3]
PAGES = sorted(ROOT.glob("docs/**/*.md"))
PLAYBOOKS = {path.stem for path in ROOT.glob("playbooks/*.yml")}
NAMED = PLAYBOOKS | {path.stem for place in ("plugins/modules/*.py", "roles/*") for path in ROOT.glob(place)}
"""What `ilnmors.mail.` may stand before."""


def program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("playbooks_page", ROOT / "website" / "playbooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", page.read_text(), re.DOTALL | re.MULTILINE)


def names(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_the_site_lists_every_page() -> None:
    listed = re.findall(
        r"^   (?:.*<)?([\w/*.-]+)>?$", (ROOT / "website" / "index.rst").read_text(), re.MULTILINE
    )
    found = {path for name in listed for path in ROOT.glob(f"{name}.md")}
    assert set(PAGES) - found == set()
    assert {path for path in ROOT.glob("roles/*/*.md") if path not in found} == set()


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    assert set(re.findall(r"\bilnmors\.mail\.(\w+)", text)) - NAMED == set()
    assert set(re.findall(r"ansible-playbook .*?ilnmors\.mail\.(\w+)", text)) - PLAYBOOKS == set()


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_variables_that_a_page_names_are_known(page: Path) -> None:
    """In code alone, and not within a longer word: files and units have such names as well."""
    prefixes = "mail|" + "|".join(path.name for path in ROOT.glob("roles/*"))
    code = "\n".join([*re.findall(r"`([^`\n]+)`", page.read_text()), *blocks(page, "yaml")])
    variables = set(re.findall(rf"(?<![\w/.-])((?:{prefixes})_[a-z0-9_]+)(?![\w/.@*-])", code))
    assert variables - set(KNOWN) - NAMED == set()


# --- messages that a page explains are those that are said

SAID = ("A run is refused", "verify fails", "Fetching")
"""Sections of troubleshooting.md whose messages are the collection's own."""
SHORTEST = 8
"""Letters of a piece of a message that is looked for."""


def sources() -> str:
    """Return all that may say something, each sentence in one piece."""
    places = (
        "plugins/**/*.py",
        "roles/*/files/**/*.py",
        "roles/*/tasks/*.yml",
        "playbooks/*.yml",
        "roles/**/*.md",
    )
    text = "\n".join(path.read_text() for place in places for path in ROOT.glob(place))
    return re.sub(r"\s+", " ", re.sub(r'"\s*\n\s*f?"', "", text))


def messages(section: str) -> list[str]:
    """Return what stands as code in the first column."""
    __, __, after = (ROOT / "docs" / "troubleshooting.md").read_text().partition(f"\n## {section}\n")
    rows = re.findall(r"^\| (.*?) \|", after.partition("\n## ")[0], re.MULTILINE)
    return [message for row in rows for message in re.findall(r"`([^`]+)`", row)]


@pytest.mark.parametrize("section", SAID)
def test_messages_that_are_explained_are_said(section: str) -> None:
    """Piece by piece: where the page has …, and before the first colon, there is a value."""
    said = sources()
    found = [
        piece.strip()
        for message in messages(section)
        for piece in re.sub(r"^[\w.\[\]…]+: ", "", message).split("…")
        if len(piece.strip()) >= SHORTEST
    ]
    assert found
    assert [piece for piece in found if piece not in said] == []


def entries(text: str) -> Iterator[tuple[str, Any]]:
    yield from (yaml.safe_load(text) or {}).items()


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_inventories_on_a_page_are_yaml_of_known_variables(page: Path) -> None:
    found = [name for text in blocks(page, "yaml") for name, __ in entries(text)]
    assert [
        name for name in found if name not in KNOWN and name != "all" and not name.startswith("vault_")
    ] == []


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "yaml")], ids=names)
def test_every_role_accepts_the_inventories_of_a_page(page: Path) -> None:
    """Each with two people, and passwords in place of those of a vault."""
    people = [{"name": name, "password": "wheel-orange-9-cloud"} for name in ("alex", "sam")]
    context = Context(host="a-host", groups={"mail": ["a-host"], "webmail": ["a-host"]})
    problems = []
    for text in blocks(page, "yaml"):
        filled = re.sub(r'"\{\{ vault_\w+ \}\}"', "river-7-table-moon", text).replace(
            "$6$…", f"$6$salt${'a' * 85}."
        )
        site = {"mail_domain": "home.internal", "mail_users": people, **dict(entries(filled))}
        with plugins_loaded():
            given = {
                role: {f"{role}_{name}": value for name, value in effective(role, site).items()}
                for role in ROLES
            }
        problems += [
            problem for role in ROLES for problem in read(role, given[role], context=context).problems
        ]
    assert problems == []


# --- the page of playbooks, which is made when the site is built


def test_each_playbook_says_what_it_does() -> None:
    page = "\n".join(program().page(sorted(ROOT.glob("playbooks/*.yml"))))
    assert re.findall(r"^## (\w+)$", page, re.MULTILINE) == sorted(PLAYBOOKS)
    assert "Deploys the whole house." in page


def test_the_comment_at_the_head_of_a_playbook_is_what_it_says_of_itself() -> None:
    assert program().about("---\n# Prints the records.\n# -e x: more.\n- name: A\n  # not this\n") == (
        "Prints the records. -e x: more."
    )


def test_a_playbook_without_a_comment_is_refused() -> None:
    with pytest.raises(ValueError, match="does not begin with a comment"):
        program().about("---\n- name: A\n")
