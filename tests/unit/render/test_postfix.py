# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The tables and transports that Postfix gets of a house."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._files.lookup_tables import read_tables
from ansible_collections.ilnmors.mail.plugins.module_utils._render import postfix as relay

DOMAIN = "home.internal"
IL: dict[str, Any] = {"name": "il", "password": "secret-il", "aliases": ["info", "root"]}
GUEST: dict[str, Any] = {"name": "guest", "password": "secret-guest"}
GMAIL: dict[str, Any] = {
    "name": "gmail",
    "profile": "gmail",
    "address": "il@gmail.com",
    "password": "secret-gmail",
    "owner": "il",
}
OTHER: dict[str, Any] = {
    "name": "other",
    "address": "il@example.org",
    "username": "il-at-example",
    "password": "secret-other",
    "owner": "il",
    "smtp_host": "smtp.example.org",
    "smtp_port": 465,
    "smtp_tls": "implicit",
    "imap_host": "imap.example.org",
}
VIA_GMAIL = "relay-gmail:[smtp.gmail.com]:587"
VIA_OTHER = "relay-other:[smtp.example.org]:465"
NO_SENDER = r"{ /\.null\.sender\.invalid/ <> }"
ROLES = ("postmaster", "abuse", "root", "mailer-daemon")


def in_house(**table: str) -> dict[str, str]:
    """Write a table's local parts as addresses of the house."""
    return {f"{key.replace('_', '-')}@{DOMAIN}": f"{value}@{DOMAIN}" for key, value in table.items()}


def in_queue(table: dict[str, str]) -> dict[str, str]:
    """Mark a table's senders as they are in the queue."""
    return {f"{sender}.sender.invalid": value for sender, value in table.items()}


HOUSE_ADDRESSES_OF_IL = ("il@home.internal", "info@home.internal", "root@home.internal")


# --- mailboxes and aliases


def test_only_users_have_mailboxes() -> None:
    assert list(relay.mailboxes([IL, GUEST], DOMAIN)) == ["il@home.internal", "guest@home.internal"]


@pytest.mark.parametrize(
    ("users", "postmaster", "expected"),
    [
        ([GUEST], "guest", dict.fromkeys(("postmaster", "abuse", "root", "mailer_daemon"), "guest")),
        # An alias wins over the role accounts that go to the postmaster.
        (
            [GUEST, IL],
            "guest",
            {"postmaster": "guest", "abuse": "guest", "mailer_daemon": "guest", "root": "il", "info": "il"},
        ),
        # A role account that is a user's own name is that user's mailbox.
        (
            [{"name": "postmaster"}],
            "postmaster",
            dict.fromkeys(("abuse", "root", "mailer_daemon"), "postmaster"),
        ),
        # Two spellings of one address would be two keys that Postfix takes for one.
        (
            [{"name": "Guest", "aliases": ["Root", "INFO"]}],
            "Guest",
            dict.fromkeys(("postmaster", "abuse", "root", "mailer_daemon", "info"), "guest"),
        ),
        ([GUEST], "", {}),
        ([], "", {}),
    ],
    ids=["role-accounts", "alias-wins", "user-is-a-role", "capitals", "no-postmaster", "nobody"],
)
def test_aliases(users: list[dict[str, Any]], postmaster: str, expected: dict[str, str]) -> None:
    assert relay.aliases(users, DOMAIN, postmaster) == in_house(**expected)


@pytest.mark.parametrize(
    ("hostname", "expected"),
    [
        ("mail.home.internal", ["mail.home.internal", "localhost.home.internal", "localhost"]),
        ("Mail.Other.example", ["mail.other.example", "localhost.home.internal", "localhost"]),
        # A domain is of one kind alone.
        (DOMAIN, ["localhost.home.internal", "localhost"]),
    ],
)
def test_names_of_the_host(hostname: str, expected: list[str]) -> None:
    assert relay.own_names(hostname, DOMAIN) == expected


def test_mail_for_the_host_itself_is_led_into_the_house() -> None:
    known = [*relay.mailboxes([GUEST], DOMAIN), *relay.aliases([GUEST], DOMAIN, "guest")]
    table = relay.host_aliases(known, ["mail.home.internal", "localhost"])
    assert table["guest@localhost"] == "guest@home.internal"
    assert table["root@mail.home.internal"] == "root@home.internal"
    assert len(table) == 2 * (1 + len(ROLES))


def test_a_catch_all_has_what_the_host_gets_for_nobody() -> None:
    known = relay.aliases([{**GUEST, "catch_all": True}], DOMAIN, "guest")
    # A result without a local part keeps that of the address (virtual(5)).
    assert relay.host_aliases(known, ["localhost"])["@localhost"] == "@home.internal"


def test_a_catch_all_leaves_others_their_mail() -> None:
    users = [{**IL, "catch_all": True}, GUEST]
    table = relay.aliases(users, DOMAIN, "il")
    assert table.pop("@home.internal") == "il@home.internal"
    # Without these, the catch-all would take what is for a mailbox: aliases come first.
    own = {"il@home.internal": "il@home.internal", "guest@home.internal": "guest@home.internal"}
    assert table == {
        **in_house(info="il"),
        **dict.fromkeys([f"{r}@{DOMAIN}" for r in ROLES], f"il@{DOMAIN}"),
        **own,
    }


def test_plus_addresses_need_no_entry() -> None:
    """Postfix looks an address up without its extension too (virtual(5)); the tables have none."""
    assert not [key for key in relay.aliases([IL, GUEST], DOMAIN, "il") if "+" in key]


# --- who may send as whom


@pytest.mark.parametrize(
    ("users", "services", "providers", "expected"),
    [
        (
            [IL],
            [],
            [],
            dict.fromkeys([f"{name}@{DOMAIN}" for name in ("il", "info", "root")], "il@home.internal"),
        ),
        ([], [{"name": "gitea"}], [], {"gitea@home.internal": "gitea@home.internal"}),
        ([], [{"name": "gitea", "addresses": []}], [], {"gitea@home.internal": "gitea@home.internal"}),
        (
            [],
            [{"name": "prometheus", "addresses": ["alerts@home.internal", "prometheus@home.internal"]}],
            [],
            dict.fromkeys(["alerts@home.internal", "prometheus@home.internal"], "prometheus@home.internal"),
        ),
        # Named addresses replace the default one.
        (
            [],
            [{"name": "nas", "addresses": ["backup@home.internal"]}],
            [],
            {"backup@home.internal": "nas@home.internal"},
        ),
        (
            [GUEST],
            [
                {"name": "gitea", "addresses": ["Guest@Home.internal"]},
                {"name": "nas", "addresses": ["guest@home.internal"]},
            ],
            [],
            {"guest@home.internal": "guest@home.internal, gitea@home.internal, nas@home.internal"},
        ),
        (
            [GUEST],
            [],
            [{**GMAIL, "owner": "guest"}],
            {"guest@home.internal": "guest@home.internal", "il@gmail.com": "guest@home.internal"},
        ),
        (
            [IL, GUEST],
            [],
            [
                GMAIL,
                {**OTHER, "address": "IL@gmail.com"},
                {**OTHER, "address": "il@gmail.com", "owner": "guest"},
            ],
            {
                **dict.fromkeys(
                    ["il@home.internal", "info@home.internal", "root@home.internal"], "il@home.internal"
                ),
                "guest@home.internal": "guest@home.internal",
                "il@gmail.com": "il@home.internal, guest@home.internal",
            },
        ),
        (
            [],
            [],
            [{**GMAIL, "owner": "anna"}],
            dict.fromkeys(["anna@home.internal", "il@gmail.com"], "anna@home.internal"),
        ),
    ],
    ids=[
        "user-and-aliases",
        "service-by-default",
        "service-with-no-addresses",
        "service-with-addresses",
        "service-without-its-own-name",
        "one-address-of-several",
        "provider-address",
        "provider-address-of-two",
        "owner-of-a-directory",
    ],
)
def test_sender_logins(
    users: list[dict[str, Any]],
    services: list[dict[str, Any]],
    providers: list[dict[str, Any]],
    expected: dict[str, str],
) -> None:
    assert relay.sender_logins(users, services, providers, DOMAIN) == expected


# --- where mail for the world leaves


def test_an_owners_addresses_use_the_first_account_and_each_account_its_own() -> None:
    table = relay.sender_transports([IL, GUEST], [], [GMAIL, OTHER], DOMAIN)
    assert table == in_queue(
        {
            "il@home.internal": VIA_GMAIL,
            "info@home.internal": VIA_GMAIL,
            "root@home.internal": VIA_GMAIL,
            # What il sends without a sender.
            "il@home.internal.null": VIA_GMAIL,
            "il@gmail.com": VIA_GMAIL,
            "il@example.org": VIA_OTHER,
        }
    )
    turned = relay.sender_transports([IL, GUEST], [], [OTHER, GMAIL], DOMAIN)
    of_il = (*HOUSE_ADDRESSES_OF_IL, "il@home.internal.null")
    assert turned == {**table, **in_queue(dict.fromkeys(of_il, VIA_OTHER))}


def test_a_machine_uses_the_account_that_it_names_and_else_the_default() -> None:
    named = {"name": "gitea", "provider": "other", "addresses": ["gitea@home.internal", "ci@home.internal"]}
    table = relay.sender_transports([], [named, {"name": "nas"}], [GMAIL, OTHER], DOMAIN)
    assert {
        sender: via for sender, via in table.items() if "gitea" in sender or "ci" in sender or "nas" in sender
    } == in_queue(
        dict.fromkeys(("gitea@home.internal", "ci@home.internal", "gitea@home.internal.null"), VIA_OTHER)
    )


def test_an_account_carries_its_other_addresses() -> None:
    providers = [GMAIL, {**OTHER, "aliases": ["me@example.org"]}]
    assert relay.sender_transports([IL], [], providers, DOMAIN)["me@example.org.sender.invalid"] == VIA_OTHER
    assert relay.sender_logins([IL], [], providers, DOMAIN)["me@example.org"] == "il@home.internal"


def test_an_owner_of_a_directory_has_one_address() -> None:
    assert relay.sender_transports([IL], [], [{**GMAIL, "owner": "anna"}], DOMAIN) == in_queue(
        dict.fromkeys(("anna@home.internal", "anna@home.internal.null", "il@gmail.com"), VIA_GMAIL)
    )


def test_an_account_that_does_not_relay_carries_nothing() -> None:
    providers = [{**GMAIL, "relay": False}, OTHER]
    assert set(relay.sender_transports([IL], [], providers, DOMAIN).values()) == {VIA_OTHER}
    assert [transport["name"] for transport in relay.relay_transports(providers, "/m")] == ["relay-other"]
    assert "il@gmail.com" not in relay.sender_logins([IL], [], providers, DOMAIN)
    assert relay.default_transport(providers, "gmail").startswith("error:")


def test_an_account_that_is_not_fetched_relays() -> None:
    assert relay.default_transport([{**GMAIL, "fetch": False}], "gmail") == VIA_GMAIL


@pytest.mark.parametrize("default", [None, ""])
def test_without_a_default_account_other_senders_mail_is_returned(default: str | None) -> None:
    assert relay.default_transport([GMAIL], default) == (
        "error:5.7.1 this house has no provider account for mail to other domains"
    )


def test_the_default_account_is_found_by_its_name() -> None:
    assert relay.default_transport([GMAIL, OTHER], "other") == VIA_OTHER


def test_each_transport_has_its_credentials_and_its_sender() -> None:
    gmail, other = relay.relay_transports([GMAIL, {**OTHER, "aliases": ["me@example.org"]}], "/maps")
    assert gmail == {
        "name": "relay-gmail",
        "connections": 2,
        "rate_delay": 0,
        "options": {
            "smtp_tls_wrappermode": "no",
            "smtp_sasl_password_maps": "$default_database_type:/maps/relay-gmail.passwords",
            "smtp_generic_maps": rf"pcre:{{ {NO_SENDER}, {{ /\.sender\.invalid/ il@gmail.com }} }}",
            # More than 500 messages a day.
            "smtp_delivery_status_filter": r"pcre:{ { /^5(\.4\.5.*)/ 4$$1 } }, $never_final",
        },
        "passwords": {
            "path": "/maps/relay-gmail.passwords",
            "entries": {"[smtp.gmail.com]:587": "il@gmail.com:secret-gmail"},
            "secret": True,
        },
    }
    assert other["options"]["smtp_tls_wrappermode"] == "yes"
    assert other["options"]["smtp_generic_maps"] == (
        rf"pcre:{{ {NO_SENDER}, {{ /^me@example\.org\.sender\.invalid/ me@example.org }}, "
        r"{ /\.sender\.invalid/ il@example.org } }"
    )
    assert other["passwords"]["entries"] == {"[smtp.example.org]:465": "il-at-example:secret-other"}


def test_an_account_with_tokens_is_reached_through_the_proxy() -> None:
    entry = {key: value for key, value in GMAIL.items() if key != "password"}
    oauth2 = {"client_id": "a-client", "refresh_token": "secret-token"}
    (gmail,) = relay.relay_transports([{**entry, "oauth2": oauth2}], "/maps")
    assert gmail["options"]["smtp_tls_security_level"] == "none"
    assert gmail["options"]["smtp_helo_name"] == "gmail"
    assert (
        gmail["options"]["smtp_generic_maps"]
        == rf"pcre:{{ {NO_SENDER}, {{ /\.sender\.invalid/ il@gmail.com }} }}"
    )
    assert gmail["passwords"]["entries"] == {"[127.0.0.1]:10587": "gmail:unused"}


def test_a_provider_that_counts_messages_gets_them_slowly() -> None:
    (outlook,) = relay.relay_transports([{**GMAIL, "profile": "outlook"}], "/maps")
    assert (outlook["connections"], outlook["rate_delay"]) == (3, 2)


def test_a_relay_without_tls_is_spoken_to_in_the_clear() -> None:
    (plain,) = relay.relay_transports([{**OTHER, "smtp_tls": "none"}], "/maps")
    assert plain["options"]["smtp_tls_security_level"] == "none"


# --- main.cf


@pytest.mark.parametrize(
    ("networks", "expected"),
    [
        (["127.0.0.0/8", "::1/128", "10.0.0.0/8"], "!10.0.0.1/32 127.0.0.0/8 [::1]/128 10.0.0.0/8"),
        (["fd00::/8"], "![fd00:2::1]/128 [fd00::]/8"),
        (["10.0.0.0/8", "10.0.0.1"], "10.0.0.0/8 10.0.0.1/32"),
        (["127.0.0.0/8", "::1/128"], "127.0.0.0/8 [::1]/128"),
        (["192.168.1.0/24", "fd00:1::/64"], "192.168.1.0/24 [fd00:1::]/64"),
        # One address without a prefix is one host.
        (["192.168.1.5", "fd00:1::5"], "192.168.1.5/32 [fd00:1::5]/128"),
        ([], ""),
    ],
)
def test_mynetworks(networks: list[str], expected: str) -> None:
    facts = {"default_ipv4": {"gateway": "10.0.0.1"}, "default_ipv6": {"gateway": "fd00:2::1"}}
    assert relay.mynetworks(networks, facts) == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "# a = 1\na = 1\nb = x=y\n"),
        ({"a": 2}, "# a = 1\na = 2\nb = x=y\n"),
        ({"b": "$a, z=1"}, "# a = 1\na = 1\nb = $a, z=1\n"),
        ({"c": "new", "a": 3}, "# a = 1\na = 3\nb = x=y\nc = new\n"),
        # What YAML makes of `yes`, `no` and nothing.
        ({"a": True, "b": False}, "# a = 1\na = yes\nb = no\n"),
        ({"a": None, "b": ""}, "# a = 1\na =\nb =\n"),
    ],
    ids=["none", "in-place", "with-equals-signs", "at-the-end", "booleans", "empty"],
)
def test_override_settings(settings: dict[str, Any], expected: str) -> None:
    assert relay.override_settings("# a = 1\na = 1\nb = x=y\n", settings) == expected


# --- all together

HOUSE: dict[str, Any] = {
    "domain": DOMAIN,
    "hostname": "mail.home.internal",
    "users": [{**IL, "catch_all": True}, GUEST],
    "services": [{"name": "gitea", "password": "secret-gitea"}],
    "providers": [GMAIL, OTHER],
    "default_provider": "gmail",
    "postmaster": "il",
    "trusted_networks": ["127.0.0.0/8"],
    "facts": {},
    "directory": "/etc/postfix/maps",
    "ldap": False,
}


def test_the_tables_are_ones_that_postfix_map_takes() -> None:
    tables = read_tables([{"secret": False, **entry} for entry in relay.postfix_tables(HOUSE)["maps"]])
    assert [table.path.name for table in tables] == [
        "mailboxes",
        "aliases",
        "sender_logins",
        "sender_transports",
        "relay-gmail.passwords",
        "relay-other.passwords",
    ]
    assert {str(table.path.parent) for table in tables} == {"/etc/postfix/maps"}


def test_passwords_stand_in_secret_tables_alone() -> None:
    tables = relay.postfix_tables(HOUSE)
    maps = {entry["path"].rpartition("/")[2]: entry for entry in tables.pop("maps")}
    secret = {name for name, entry in maps.items() if entry.get("secret")}
    assert secret == {"relay-gmail.passwords", "relay-other.passwords"}
    assert {name for name, entry in maps.items() if "secret-" in str(entry)} == secret
    assert "secret-" not in str(tables)


def test_the_templates_get_paths_and_the_rest() -> None:
    tables = relay.postfix_tables(HOUSE)
    assert tables["mynetworks"] == "127.0.0.0/8"
    assert tables["catch_all"] is True
    assert tables["default_transport"] == VIA_GMAIL
    assert [transport["name"] for transport in tables["transports"]] == ["relay-gmail", "relay-other"]
    assert tables["header_checks"].startswith("/^(Received|")
    assert (
        tables["mark"] == r"pcre:{ { /^(?!double-bounce@|.*\.sender\.invalid)(.+@.+)/ $$1.sender.invalid } }"
    )
    assert tables["unmark"] == rf"pcre:{{ {NO_SENDER}, {{ /^(.+)\.sender\.invalid/ $$1 }} }}"


@pytest.mark.parametrize(
    ("house", "expected"),
    [
        ({}, r"pcre:{ { /\.sender\.invalid/ il@home.internal } }"),
        # The people of a directory have inboxes, though no table lists them.
        (
            {"ldap": True},
            r"pcre:{ { /^([^@]+@home\.internal)(?:\.null)?\.sender\.invalid/ $$1 }, "
            r"{ /\.sender\.invalid/ il@home.internal } }",
        ),
        ({"postmaster": ""}, ""),
    ],
)
def test_what_no_table_lists_returns_to_the_postmaster(house: dict[str, Any], expected: str) -> None:
    assert relay.postfix_tables({**HOUSE, **house})["returns"] == expected


def test_the_house_is_left_as_it_was() -> None:
    before = copy.deepcopy(HOUSE)
    relay.postfix_tables(HOUSE)
    assert before == HOUSE
