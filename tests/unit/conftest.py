# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fixtures that several files share."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.tests.unit.fakes.authority import Authority

# As pyproject.toml says it to pytest; ansible-test has settings of its own.
for role in ("mbsync_fetch", "mail_backup", "mail_monitoring"):
    if (programs := str(Path(__file__).parents[2] / "roles" / role / "files")) not in sys.path:
        sys.path.append(programs)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return the CA of the fake mail servers."""
    return Authority(tmp_path_factory.mktemp("ca"), "house-ca")


@pytest.fixture(scope="session")
def good(authority: Authority) -> ssl.SSLContext:
    """Return a server's context whose certificate is as it should be."""
    return authority.context()
