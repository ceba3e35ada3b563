# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The accounts that Dovecot gets of a house."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._render.accounts import (
    dovecot_accounts,
    dovecot_aliases,
)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"name": "il", "password": "p"}, {"name": "il@home.internal", "password": "p"}),
        ({"name": "il", "password_hash": "{X}h"}, {"name": "il@home.internal", "password_hash": "{X}h"}),
        ({"name": "il", "password": "p", "password_hash": ""}, {"name": "il@home.internal", "password": "p"}),
        # Dovecot folds login names (auth_username_format).
        ({"name": "Il", "password": "p"}, {"name": "il@home.internal", "password": "p"}),
        (
            {"name": "il", "password": "p", "aliases": ["info"], "catch_all": True},
            {"name": "il@home.internal", "password": "p"},
        ),
    ],
)
def test_a_user_is_an_account(entry: dict[str, Any], expected: dict[str, Any]) -> None:
    assert dovecot_accounts([entry], "Home.internal") == [{**expected, "extra_fields": {}}]


@pytest.mark.parametrize(
    ("quota_field", "expected"),
    [
        ("userdb_quota_storage_size={}", {"userdb_quota_storage_size": "5G"}),
        ("userdb_quota_rule=*:storage={}", {"userdb_quota_rule": "*:storage=5G"}),
    ],
)
@pytest.mark.parametrize("quota", ["5G", "5g"])
def test_a_quota_is_a_field_of_the_series(quota_field: str, expected: dict[str, str], quota: str) -> None:
    users = [{"name": "il", "quota": quota}, {"name": "guest"}, {"name": "both", "quota": ""}]
    il, *others = dovecot_accounts(users, "home.internal", quota_field=quota_field)
    assert il["extra_fields"] == expected
    assert [other["extra_fields"] for other in others] == [{}, {}]


@pytest.mark.parametrize("quota", ["0", 0])
def test_no_quota_is_a_quota_too(quota: object) -> None:
    """It goes before the default of the house."""
    (il,) = dovecot_accounts([{"name": "il", "quota": quota}], "home.internal", quota_field="field={}")
    assert il["extra_fields"] == {"field": "0"}


def test_networks_and_fields_are_fields_of_the_account() -> None:
    entry = {
        "name": "il",
        "allowed_networks": ["192.168.1.0/24", "10.0.0.7", "FD00:1::/64"],
        "quota": "5G",
        "extra_fields": {"userdb_quota_rule2": "Trash:storage=+1G"},
    }
    (il,) = dovecot_accounts([entry], "home.internal", quota_field="field={}")
    assert il["extra_fields"] == {
        "allow_nets": "192.168.1.0/24,10.0.0.7/32,fd00:1::/64",
        "field": "5G",
        "userdb_quota_rule2": "Trash:storage=+1G",
    }


def test_a_machine_only_sends_from_its_networks() -> None:
    entry = {"name": "gitea", "allowed_networks": ["10.0.0.7"]}
    (account,) = dovecot_accounts([entry], "home.internal", sends_only=True)
    assert account["extra_fields"] == {"nologin": "", "allow_nets": "10.0.0.7/32"}


def test_a_machine_only_sends() -> None:
    (account,) = dovecot_accounts([{"name": "gitea", "password": "p"}], "home.internal", sends_only=True)
    assert account["extra_fields"] == {"nologin": ""}


def test_aliases_lead_to_the_account_that_has_them() -> None:
    users: list[dict[str, Any]] = [
        {"name": "Il", "aliases": ["Info", "office"]},
        {"name": "guest"},
        {"name": "x", "aliases": None},
    ]
    assert dovecot_aliases(users, "home.internal") == (
        "info@home.internal:::::::userdb_user=il@home.internal\n"
        "office@home.internal:::::::userdb_user=il@home.internal\n"
    )
