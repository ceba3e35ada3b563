# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which accounts take the place of another, and where Postfix looks for that."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._render import postfix
from ansible_collections.ilnmors.mail.tests.unit.render.test_postfix import (
    GMAIL,
    HOUSE,
    OTHER,
    VIA_GMAIL,
    VIA_OTHER,
)

TABLE = "$default_database_type:/etc/postfix/maps/sender_transports"
INSTEAD = "$default_database_type:/var/lib/postfix-failover/instead"
GUESTS = {**OTHER, "name": "guests", "owner": "guest", "address": "guest@example.net"}
LAST = {**OTHER, "name": "last", "address": "il@example.com"}
FETCHED = {**OTHER, "name": "fetched", "relay": False}


def rendered(*providers: dict[str, Any], failover: bool = False, default: str = "gmail") -> dict[str, Any]:
    house = {**HOUSE, "providers": providers, "failover": failover, "default_provider": default}
    return postfix.postfix_tables(house)


def chains(*providers: dict[str, Any], failover: bool = False) -> dict[str, Any]:
    return {one["name"]: list(one["chain"]) for one in rendered(*providers, failover=failover)["failover"]}


def test_it_is_off_by_default() -> None:
    tables = rendered(GMAIL, OTHER)
    assert tables["failover"] == []
    assert tables["sender_transport_maps"] == [TABLE]


@pytest.mark.parametrize(
    ("providers", "failover", "expected"),
    [
        # The others of the same owner, and nobody else's.
        (
            [GMAIL, GUESTS, OTHER, FETCHED, LAST],
            True,
            {"gmail": ["other", "last"], "other": ["gmail", "last"], "last": ["gmail", "other"]},
        ),
        # One alone has none.
        ([GMAIL, GUESTS], True, {}),
        # An entry says which, and whose address is shown then.
        ([{**GMAIL, "failover": ["guests"]}, GUESTS, OTHER], False, {"gmail": ["guests"], "guests": []}),
        (
            [{**GMAIL, "failover": ["guests"]}, GUESTS, OTHER],
            True,
            {"gmail": ["guests"], "guests": [], "other": ["gmail"]},
        ),
        ([{**GMAIL, "failover": []}, OTHER], True, {"gmail": [], "other": ["gmail"]}),
        # Two take each other's place.
        (
            [{**GMAIL, "failover": ["other"]}, {**OTHER, "failover": ["gmail"]}],
            False,
            {"gmail": ["other"], "other": ["gmail"]},
        ),
    ],
)
def test_chains(providers: list[dict[str, Any]], failover: bool, expected: dict[str, list[str]]) -> None:
    assert chains(*providers, failover=failover) == expected


def test_what_the_program_is_told() -> None:
    tokens = {
        **GMAIL,
        "name": "tokens",
        "password": "",
        "oauth2": {"client_id": "c"},
        "address": "t@gmail.com",
    }
    told = rendered({**GMAIL, "failover": ["tokens"]}, tokens)["failover"]
    assert told == [
        {
            "name": "gmail",
            "transport": "relay-gmail",
            "destination": VIA_GMAIL,
            "chain": ("tokens",),
            "over_limit": (r"4\.5",),
        },
        {
            "name": "tokens",
            "transport": "relay-tokens",
            "destination": "relay-tokens:[127.0.0.1]:10587",
            "chain": (),
            "over_limit": (r"4\.5",),
        },
    ]
    assert "secret-" not in str(told)


def test_what_takes_an_accounts_place_comes_before_it() -> None:
    maps = rendered({**GMAIL, "failover": ["other"]}, OTHER)["sender_transport_maps"]
    assert maps == [
        f"pipemap:{{ {TABLE}, {INSTEAD} }}",
        TABLE,
        f"pipemap:{{ pcre:{{ {{ /^[^+]+$$/ {VIA_GMAIL} }} }}, {INSTEAD} }}",
    ]


def test_a_default_account_that_nothing_takes_the_place_of_is_not_looked_for() -> None:
    maps = rendered({**GMAIL, "failover": ["other"]}, OTHER, default="other")["sender_transport_maps"]
    assert maps == [f"pipemap:{{ {TABLE}, {INSTEAD} }}", TABLE]
    assert (
        rendered({**GMAIL, "failover": ["other"]}, OTHER, default="other")["default_transport"] == VIA_OTHER
    )
