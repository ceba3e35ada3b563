# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A template is filled in as Ansible's own lookup does it, and the variables of the host are not copied for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.ilnmors.mail.tests.unit.repository.ansible_plugins import plugins_loaded

TEXT = "# {{ ansible_managed }}, {{ template_path }}\n{{ house }} of {{ people | length }}{{ extra | default('') }}\n"


class Costly(list[str]):
    """What takes long to copy where a house has many people."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Costly:
        raise AssertionError("the variables were copied")


def text(folder: Path, lookup: str, people: list[str], arguments: str = "") -> str:
    (folder / "templates").mkdir(exist_ok=True)
    (folder / "templates" / "unit.j2").write_text(TEXT)
    # A variable that holds a template is filled in, as anywhere else.
    known = {
        "house": trust_as_template("{{ 'a' ~ 'b' }}"),
        "people": people,
        "ansible_search_path": [str(folder)],
    }
    with plugins_loaded():
        templar = Templar(loader=DataLoader(), variables=known)
        filled: str = templar.template(
            trust_as_template(f"{{{{ lookup('{lookup}', 'unit.j2'{arguments}) }}}}")
        )
    return filled


@pytest.mark.parametrize("arguments", ["", ", template_vars={'extra': '!'}"])
def test_it_is_what_ansible_makes_of_it(tmp_path: Path, arguments: str) -> None:
    ours, ansibles = (
        text(tmp_path, f"{collection}.template", ["alex", "sam"], arguments)
        for collection in ("ilnmors.mail", "ansible.builtin")
    )
    assert ours == ansibles
    assert ours.splitlines()[1] == ("ab of 2!" if arguments else "ab of 2")


def test_no_variable_is_copied(tmp_path: Path) -> None:
    assert "ab of 2" in text(tmp_path, "ilnmors.mail.template", Costly(["alex", "sam"]))


def test_that_a_template_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"nothing\.j2"):
        text(tmp_path, "ilnmors.mail.template", [], ", 'nothing.j2'")
