"""The name of SnappyMail, beside the house's."""

from __future__ import annotations

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House


@pytest.fixture(scope="session")
def house(house: House) -> House:
    """Return the house of those who open SnappyMail."""
    return house.at("snappymail")
