# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A house in which people live, before and after the behaviour tests (molecule/ldap)."""

from __future__ import annotations

from ansible_collections.ilnmors.mail.tests.behaviour.conftest import (
    _names,
    house,
    inventory,
    mail,
    pytest_addoption,
    pytest_configure,
    pytest_runtest_makereport,
)

__all__ = [
    "_names",
    "house",
    "inventory",
    "mail",
    "pytest_addoption",
    "pytest_configure",
    "pytest_runtest_makereport",
]
