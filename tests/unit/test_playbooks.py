# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the playbooks make of site variables that are set, empty or missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.ilnmors.mail.tests.unit.ansible_plugins import plugins_loaded

VERIFY = Path(__file__).parents[2] / "playbooks" / "verify.yml"
OWN_CA = "/etc/ssl/ilnmors-mail/ca.pem"


@pytest.fixture(scope="module", autouse=True)
def _plugins() -> Iterator[None]:
    with plugins_loaded():
        yield


PLAY: dict[str, Any] = DataLoader().load_from_file(str(VERIFY), trusted_as_template=True)[0]


def verify(site: dict[str, Any], template: Any) -> Any:
    """Return what a template is in verify.yml, for a house of these site variables."""
    variables = {"groups": {}, "omit": "left out", **PLAY["vars"], "mail_domain": "home.internal", **site}
    return Templar(loader=DataLoader(), variables=variables).template(template)


@pytest.mark.parametrize(
    ("site", "file"),
    [
        ({}, OWN_CA),
        ({"mail_tls_certificate": "", "mail_tls_ca": ""}, OWN_CA),
        ({"mail_tls_certificate": "/etc/mine.pem"}, "left out"),
        ({"mail_tls_certificate": "/etc/mine.pem", "mail_tls_ca": "/etc/my-ca.pem"}, "/etc/my-ca.pem"),
    ],
    ids=["bare", "empty", "brought", "brought-with-its-authority"],
)
def test_certificates_are_verified_against_the_authority_that_issued_them(
    site: dict[str, Any], file: str
) -> None:
    assert verify(site, PLAY["vars"]["__verify_ca_file"]) == file


@pytest.mark.parametrize("site", [{}, {"mail_users": None, "mail_providers": None}], ids=["missing", "null"])
def test_a_house_whose_people_are_all_in_a_directory_is_verified(site: dict[str, Any]) -> None:
    tasks = {next(key for key in task if "." in key): task for task in PLAY["tasks"]}
    accounts = tasks["ilnmors.mail.mail_roundtrip"]["ilnmors.mail.mail_roundtrip"]["accounts"]
    # The collection's own filters are not to be had here.
    users = trust_as_template(accounts.partition("| ilnmors.mail.")[0] + "}}")
    assert verify(site, users) == []
    assert verify(site, PLAY["vars"]["__verify_fetched"]) == []
