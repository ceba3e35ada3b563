"""What the tests of a watched house know of it (molecule/monitoring)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.conftest import (
    _names,
    connect,
    house,
    inventory,
    mail,
    provider,
    pytest_addoption,
    pytest_configure,
    pytest_runtest_makereport,
)
from testinfra.host import Host

__all__ = [
    "_names",
    "house",
    "inventory",
    "mail",
    "provider",
    "pytest_addoption",
    "pytest_configure",
    "pytest_runtest_makereport",
]

Ask = Callable[..., Any]

FETCH = (
    "python3 -c 'import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())' '{}'"
)


@pytest.fixture(scope="session")
def watch(request: pytest.FixtureRequest, inventory: dict[str, dict[str, Any]]) -> Host:
    """Return the host that has Prometheus."""
    return connect(request, inventory, "monitoring")


@pytest.fixture(scope="session")
def ask(watch: Host) -> Ask:
    """Return what asks Prometheus' API, and returns the data of its answer."""

    def asked(path: str, **parameters: str) -> Any:
        url = f"http://localhost:9090/api/v1/{path}?{urlencode(parameters)}".replace("'", "%27")
        answer = json.loads(watch.check_output(FETCH.format(url)))
        assert answer["status"] == "success", answer
        return answer["data"]

    return asked
