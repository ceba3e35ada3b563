"""What is known before the move of a house to the next Debian, and compared after it (molecule/upgrade)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.conftest import (
    _names,
    app,
    house,
    inventory,
    mail,
    provider,
    provider_ca,
    pytest_addoption,
    pytest_configure,
    pytest_runtest_makereport,
    webmail,
)
from ansible_collections.ilnmors.mail.tests.behaviour.support.notebook import notebook

__all__ = [
    "_names",
    "app",
    "house",
    "inventory",
    "mail",
    "provider",
    "provider_ca",
    "pytest_addoption",
    "pytest_configure",
    "pytest_runtest_makereport",
    "webmail",
]


@pytest.fixture(scope="session")
def known(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """Return what earlier steps wrote down, for this one to read and to add to."""
    yield from notebook(request.config.rootpath / ".lab/upgrade.json")
