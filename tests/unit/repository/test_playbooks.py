# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The playbooks know of a site what the roles have read, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._site.description import KNOWN

PLAYBOOKS = sorted((Path(__file__).parents[3] / "playbooks").glob("*.yml"))


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.stem)
def test_a_playbook_reads_no_variable_of_a_site_itself(playbook: Path) -> None:
    """A default of its own would be another one than the roles', as for a house whose people are all in a directory."""
    expressions = "\n".join(re.findall(r"\{\{.*?\}\}", playbook.read_text(), re.DOTALL))
    read = re.compile(rf"(?<![\w.'])({'|'.join(KNOWN)})(?!\w)")
    assert read.findall(expressions) == []
