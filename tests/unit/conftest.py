# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fixtures that several files share."""

from __future__ import annotations

import ssl

import pytest
from ansible_collections.ilnmors.mail.tests.unit.fakes.authority import Authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return the CA of the fake mail servers."""
    return Authority(tmp_path_factory.mktemp("ca"), "house-ca")


@pytest.fixture(scope="session")
def good(authority: Authority) -> ssl.SSLContext:
    """Return a server's context whose certificate is as it should be."""
    return authority.context()
