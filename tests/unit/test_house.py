"""The description of a house is refused with sentences that name variable, value and remedy."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
import yaml
from ansible_collections.ilnmors.mail.plugins.filter import house_problems as house_problems_filter
from ansible_collections.ilnmors.mail.plugins.module_utils.house import KEYS, house_problems

HASH = (
    "{ARGON2ID}$argon2id$v=19$m=64,t=2,p=1$c3Nzc3Nzc3Nzc3Nzc3Nzcw$V5EkqS+nrwblWEvBX8gpmmcAw0r9QCliyxC6tC0KKAI"
)
COSTS = {
    "argon2_memory": 19456,
    "argon2_time": 2,
    "argon2_parallelism": 1,
    "blf_rounds": 10,
    "sha512_rounds": 210000,
}
SOUND: dict[str, Any] = {
    "domain": "home.internal",
    "hostname": "mail.home.internal",
    "webmail_hostname": "webmail.home.internal",
    "users": [
        {"name": "il", "password": "secret-il", "aliases": ["postmaster"]},
        {
            "name": "guest",
            "password_hash": HASH,
            "catch_all": True,
            "allowed_networks": ["192.168.1.0/24", "10.0.0.7", "fd00:1::/64", "0.0.0.0/0"],
            "extra_fields": {"userdb_quota_rule2": "Trash:storage=+1G", "nologin": "", "reason": "moved"},
        },
    ],
    "services": [{"name": "gitea", "password": "secret-gitea", "addresses": ["gitea@home.internal"]}],
    "password_scheme": "ARGON2ID",
    "password_costs": COSTS,
    "postmaster": "il",
    "providers": [
        {
            "name": "gmail",
            "profile": "gmail",
            "address": "il@gmail.com",
            "password": "secret-gmail",
            "owner": "il",
        },
    ],
    "default_provider": "gmail",
    "trusted_networks": ["127.0.0.0/8", "::1/128", "192.168.1.0/24", "fd00:1::/64"],
    "trust_public_networks": False,
    "listen": {"addresses": [], "public": False, "facts": {}},
    "tls_certificate": "",
    "tls_key": "",
    "tls_names": ["mail.home.internal"],
    "tls_ca_domains": ["home.internal"],
    "delay_warning": "4h",
    "queue_lifetime": "5d",
    "metrics_address": "127.0.0.1",
    "clients_per_user": 5,
    "quota": "5G",
    "expiry": {"dovecot_imap_trash_days": 0, "dovecot_imap_junk_days": 30},
    "extra_settings": {"mail_debug": True},
}


def changed(path: str, value: object) -> dict[str, Any]:
    """Return SOUND with one place changed; a value of None removes it. path: keys and indices, dotted."""
    house = copy.deepcopy(SOUND)
    *parents, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place: Any = house
    for step in parents:
        place = place[step]
    if value is None:
        del place[last]
    elif isinstance(place, list) and last == len(place):
        place.append(value)
    else:
        place[last] = value
    return house


def test_a_sound_house_has_no_problems() -> None:
    assert house_problems(SOUND) == []


def test_what_is_not_given_is_not_checked() -> None:
    assert house_problems({}) == []


@pytest.mark.parametrize(
    ("house", "problem"),
    [
        ({"user": [{"name": "a:b"}]}, "house_problems: 'user' is not known; write one of clients_per_user, "),
        (
            {"listen": {"addresses": [], "public": False, "fact": {}}},
            "house_problems: listen: 'fact' is not known; write one of addresses, facts, public",
        ),
    ],
)
def test_a_check_is_not_turned_off_by_a_typo(house: dict[str, Any], problem: str) -> None:
    (found,) = house_problems(house)
    assert found.startswith(problem)


def test_all_that_is_checked_is_documented() -> None:
    described = yaml.safe_load(house_problems_filter.DOCUMENTATION)["options"]["_input"]["description"]
    assert set(re.findall(r"C\((\w+)\)", str(described))) == KEYS


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (
            "domain",
            "home",
            "mail_domain: 'home' is not a fully qualified domain name; write one such as 'home.internal'",
        ),
        (
            "hostname",
            "mail_1.home.internal",
            "mail_hostname: 'mail_1.home.internal' is not a fully qualified domain name; "
            "write one such as 'mail.home.internal'",
        ),
        (
            "webmail_hostname",
            "10.0.0.1",
            "mail_webmail_hostname: '10.0.0.1' is not a fully qualified domain name; "
            "write one such as 'webmail.home.internal'",
        ),
        ("users", "il", "mail_users: is not a list of dictionaries; write each entry as '- name: …'"),
        (
            "users.1.name",
            "IL",
            "mail_users[1].name: 'IL' is taken by mail_users[0].name already; "
            "choose another name or remove one of them",
        ),
        (
            "users.0.name",
            "il@home.internal",
            "mail_users[0].name: 'il@home.internal' is no name to log in with; write one such as 'il' or 'il.home', "
            "of letters, digits, '-', '_' and single dots inside",
        ),
        (
            "users.0.password",
            None,
            "mail_users[0] (il): has neither password nor password_hash; set one of them",
        ),
        (
            "users.0.password_hash",
            HASH,
            "mail_users[0] (il): has both password and password_hash; remove one of them",
        ),
        (
            "users.0.aliases.0",
            "guest",
            "mail_users[0].aliases[0]: 'guest' is taken by mail_users[1].name already; "
            "choose another name or remove one of them",
        ),
        (
            "users.0.aliases.0",
            "a b",
            "mail_users[0].aliases[0]: 'a b' is not the local part of an address; "
            "write one such as 'postmaster'",
        ),
        ("users.0.catch_all", True, "mail_users: il, guest all have catch_all: true; only one user can"),
        (
            "services.0.name",
            "guest",
            "mail_services[0].name: 'guest' is taken by mail_users[1].name already; "
            "choose another name or remove one of them",
        ),
        (
            "services.0.addresses.0",
            "gitea@elsewhere.org",
            "mail_services[0].addresses[0]: 'gitea@elsewhere.org' is not an address of the house; "
            "write one such as 'gitea@home.internal'",
        ),
        (
            "providers.0.name",
            "G mail",
            "mail_providers[0].name: 'G mail' is not a short name; "
            "use lower-case letters, digits and '_', such as 'gmail'",
        ),
        (
            "providers.1",
            {**SOUND["providers"][0]},
            "mail_providers[1].name: 'gmail' is there twice; give each account a name of its own",
        ),
        (
            "providers.0.profile",
            "hotmail",
            "mail_providers[0] (gmail).profile: 'hotmail' is not known; write one of gmail, naver, outlook, daum, "
            "kakao, icloud, yahoo, fastmail, custom; custom, or none, wants smtp_host and imap_host",
        ),
        (
            "providers.0.address",
            "il",
            "mail_providers[0] (gmail).address: 'il' is not a mail address; "
            "write the account's, such as 'il@gmail.com'",
        ),
        (
            "providers.0.password",
            None,
            "mail_providers[0] (gmail): has no password; write the account's (app) password, "
            "or remove the account",
        ),
        (
            "providers.0.owner",
            "nobody",
            "mail_providers[0] (gmail).owner: 'nobody' is not a user; write one of il, guest",
        ),
        (
            "providers.0.owner",
            None,
            "mail_providers[0] (gmail): has no owner; write the name of the user in mail_users whose account it is",
        ),
        (
            "providers.0.smtp_host",
            "smtp",
            "mail_providers[0] (gmail).smtp_host: 'smtp' is not a host name; "
            "write one such as 'smtp.example.org'",
        ),
        (
            "default_provider",
            "naver",
            "mail_default_provider: 'naver' is not in mail_providers (there: gmail); write one of those names",
        ),
        (
            "providers.0.relay",
            False,
            "mail_default_provider: 'gmail' has relay: false; choose one that relays, or remove that line",
        ),
        (
            "metrics_address",
            "mail.home.internal",
            "dovecot_imap_metrics_address: 'mail.home.internal' is not an IP address; "
            "write one of the host's, such as '127.0.0.1'",
        ),
        (
            "metrics_address",
            "8.8.8.8",
            "dovecot_imap_metrics_address: '8.8.8.8' would offer the metrics to strangers, for anyone may read them; "
            "write a private address of the host, such as '127.0.0.1'",
        ),
        (
            "metrics_address",
            "::",
            "dovecot_imap_metrics_address: '::' would offer the metrics to strangers, for anyone may read them; "
            "write a private address of the host, such as '127.0.0.1'",
        ),
        (
            "clients_per_user",
            0,
            "dovecot_imap_clients_per_user: 0 leaves no connection; write 1 or more",
        ),
        *[
            (
                "quota",
                size,
                f"mail_quota: {size!r} is no size; write a whole number with B, K, M, G or T, such as '5G', "
                "or '0' for none",
            )
            for size in (
                "5",
                5000,
                "5 G",
                "5GB",
                "-5G",
                "1.5G",
                "0G",
                "5G\n",
                "\u0665G",
                "50%",
                "8388608T",
                "lots",
            )
        ],
        (
            "users.0.quota",
            "50%",
            "mail_users[0].quota: '50%' is no size; write a whole number with B, K, M, G or T, such as '5G', "
            "or '0' for none",
        ),
        (
            "expiry.dovecot_imap_trash_days",
            -1,
            "dovecot_imap_trash_days: -1 is no number of days; write one such as 30, or 0 to keep messages",
        ),
        (
            "expiry.dovecot_imap_junk_days",
            1.5,
            "dovecot_imap_junk_days: 1.5 is no number of days; write one such as 30, or 0 to keep messages",
        ),
        (
            "extra_settings",
            {"protocols": ["imap"]},
            "dovecot_imap_extra_settings.protocols: is no single value; write it as one string, as in dovecot.conf",
        ),
        (
            "trusted_networks.0",
            "8.8.8.0/24",
            "mail_trusted_networks[0]: '8.8.8.0/24' is public address space: strangers could send mail through "
            "the house; write the house's private network, or set mail_trust_public_networks: true if you mean it",
        ),
        (
            "trusted_networks.0",
            "192.168.1.1/24",
            "mail_trusted_networks[0]: '192.168.1.1/24' is not a network in CIDR form; write one such as "
            "'192.168.1.0/24' or 'fd00:1::/64' (no bits set beyond the prefix)",
        ),
        (
            "tls_certificate",
            "/etc/ssl/mail.pem",
            "mail_tls_certificate: '/etc/ssl/mail.pem' is set, but mail_tls_key is not; "
            "set both, or neither for the house's own authority",
        ),
        (
            "tls_key",
            "/etc/ssl/mail.key",
            "mail_tls_key: '/etc/ssl/mail.key' is set, but mail_tls_certificate is not; "
            "set both, or neither for the house's own authority",
        ),
        (
            "tls_names.0",
            "mail.example.org",
            "mail_tls_names: 'mail.example.org' is outside the domains of the house's authority "
            "(home.internal); choose a name inside, or add its domain to mail_tls_ca_domains",
        ),
    ],
)
def test_what_cannot_work_is_named(path: str, value: object, problem: str) -> None:
    assert house_problems(changed(path, value))[0] == problem


@pytest.mark.parametrize(
    ("network", "problem"),
    [
        *[
            (network, "is public address space")
            for network in ("203.0.113.0/24", "10.0.0.0/7", "2001:db8::/32")
        ],
        ("100.64.0.0/10", "is address space that a carrier's customers share (RFC 6598)"),
        ("100.100.0.0/16", "write single addresses, such as '100.64.0.7/32'"),
    ],
)
def test_only_private_networks_are_trusted_unless_said_otherwise(network: str, problem: str) -> None:
    house = {"trusted_networks": [network]}
    assert problem in house_problems(house)[0]
    assert house_problems({**house, "trust_public_networks": True}) == []


def test_a_machine_of_a_vpn_in_shared_address_space_is_trusted() -> None:
    assert house_problems({"trusted_networks": ["100.100.1.2/32"]}) == []


@pytest.mark.parametrize("permission", [False, True])
@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0"])
def test_nobody_trusts_everyone(network: str, permission: bool) -> None:
    assert house_problems({"trusted_networks": [network], "trust_public_networks": permission}) == [
        f"mail_trusted_networks[0]: '{network}' is every machine there is: anyone could send mail through the house's "
        "accounts; write the house's private network"
    ]


@pytest.mark.parametrize("use", ["relay", "fetch"])
def test_an_account_without_profile_needs_a_host_for_each_use(use: str) -> None:
    host = {"relay": "smtp_host", "fetch": "imap_host"}[use]
    entry = {**SOUND["providers"][0], "smtp_host": "smtp.example.org", "imap_host": "imap.example.org"}
    del entry["profile"], entry[host]
    house = {**SOUND, "providers": [entry], "default_provider": ""}
    assert house_problems(house) == [
        f"mail_providers[0] (gmail): has neither a profile nor {host}; set one of them, or {use}: false"
    ]
    assert house_problems({**house, "providers": [{**entry, use: False}]}) == []


def test_an_owner_is_not_checked_where_the_users_are_not_known() -> None:
    assert house_problems({"providers": [{**SOUND["providers"][0], "owner": "anyone"}]}) == []


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a b",
        "a:b",
        "a/b",
        "../a",
        "a\n",
        "a\0",
        "a\x7f",
        "a@b",
        "a+b",
        "a%u",
        "o'il",
        ".a",
        "a..b",
        "#a",
        "일",
        7,
    ],
)
@pytest.mark.parametrize("variable", ["users", "services"])
def test_a_name_that_cannot_log_in_is_refused(variable: str, name: object) -> None:
    house = {"users": [], variable: [{"name": name, "password": "secret"}]}
    assert house_problems(house) == [
        f"mail_{variable}[0].name: {name!r} is no name to log in with; write one such as 'il' or 'il.home', "
        "of letters, digits, '-', '_' and single dots inside"
    ]


@pytest.mark.parametrize(
    ("password_hash", "found"),
    [
        ("secret", "found a hash that is not of a known scheme"),
        ("{PLAIN}secret", "found a hash of the unknown scheme PLAIN"),
        ("{BLF-CRYPT}" + HASH.removeprefix("{ARGON2ID}"), "found a hash that is not of its scheme BLF-CRYPT"),
        (f"{HASH}!", "found a hash that is not of its scheme ARGON2ID"),
    ],
)
def test_a_hash_that_verifies_nothing_is_refused(password_hash: str, found: str) -> None:
    house = {"services": [{"name": "gitea", "password_hash": password_hash}], "users": []}
    (problem,) = house_problems(house)
    assert problem.startswith(
        f"mail_services[0] (gitea).password_hash: {found}: make one with 'doveadm pw -s "
    )
    assert "secret" not in problem


@pytest.mark.parametrize("networks", ["10.0.0.0/8", [], {}, 7])
def test_allowed_networks_are_a_list(networks: object) -> None:
    house = {"users": [{"name": "il", "password": "p", "allowed_networks": networks}]}
    assert house_problems(house) == [
        "mail_users[0] (il).allowed_networks: is no list of networks; write one such as ['192.168.1.0/24'], "
        "or leave it out"
    ]


@pytest.mark.parametrize(
    "value", ["local", "", "10.0.0.1/8", "10.0.0.0/33", "10.0.0", 10, None, "fe80::1%eth0/64", "a, 10.0.0.1"]
)
def test_what_is_no_network_allows_nobody(value: object) -> None:
    house = {
        "services": [{"name": "gitea", "password": "p", "allowed_networks": ["10.0.0.1", value]}],
        "users": [],
    }
    assert house_problems(house) == [
        f"mail_services[0] (gitea).allowed_networks[1]: {value!r} is neither an address nor a network in CIDR form; "
        "write one such as '192.168.1.7', '192.168.1.0/24' or 'fd00:1::/64' (no bits set beyond the prefix)"
    ]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ("nologin", ": is no dictionary; write each field as 'name: value'"),
        ({1: "a"}, ": is no dictionary; write each field as 'name: value'"),
        ({"allow_nets": "10.0.0.1"}, ".allow_nets: write allowed_networks instead"),
        ({"userdb_quota_rule": "*:storage=1G"}, ".userdb_quota_rule: write quota instead"),
        ({"userdb_uid": 0}, ".userdb_uid: the role says that itself: remove it"),
        ({"userdb_home": "/root"}, ".userdb_home: the role says that itself: remove it"),
        ({"password": "secret"}, ".password: a line has one password: write password or password_hash"),
        ({"nopassword": ""}, ".nopassword: write password or password_hash"),
        (
            {"reason": "secret line\nroot::0:0::/"},
            ".reason: the value contains a space, line break or NUL, which the file cannot hold: remove it",
        ),
        ({"reason": None}, ".reason: found NoneType, write a string ('' for a field without value)"),
        (
            {"a b": "c"},
            ": the field name 'a b' is empty, begins with ':', or contains whitespace, '=' or NUL: "
            "write a name such as 'userdb_quota_storage_size'",
        ),
    ],
)
def test_fields_that_cannot_be_held_or_are_not_free_are_refused(fields: object, problem: str) -> None:
    house = {"users": [{"name": "il", "password": "p", "extra_fields": fields}]}
    assert house_problems(house) == [f"mail_users[0] (il).extra_fields{problem}"]


@pytest.mark.parametrize(
    ("scheme", "cost", "value", "least", "most"),
    [
        ("ARGON2ID", "argon2_memory", 7, 8, 4294967295),
        ("ARGON2ID", "argon2_time", 0, 1, 4294967295),
        ("ARGON2ID", "argon2_parallelism", "0", 1, 16777215),
        ("BLF-CRYPT", "blf_rounds", 32, 4, 31),
        ("SHA512-CRYPT", "sha512_rounds", 999, 1000, 999999999),
    ],
)
def test_a_cost_that_the_scheme_has_not_is_refused(
    scheme: str, cost: str, value: object, least: int, most: int
) -> None:
    house = {**SOUND, "password_scheme": scheme, "password_costs": {**COSTS, cost: value}}
    assert house_problems(house) == [
        f"dovecot_imap_{cost}: found {value}, write a number from {least} to {most}"
    ]


@pytest.mark.parametrize(("memory", "problems"), [(524288, 0), (524289, 1)])
def test_a_hash_that_is_too_large_for_dovecot_is_refused(memory: int, problems: int) -> None:
    house = {**SOUND, "password_costs": {**COSTS, "argon2_memory": memory}}
    problem = (
        f"dovecot_imap_argon2_memory: found {memory}, with which nobody could log in, for it is more than a process of "
        "Dovecot may have; write 524288 (512 MiB) or less"
    )
    assert house_problems(house) == [problem] * problems
    assert house_problems({**house, "password_scheme": "BLF-CRYPT"}) == []


@pytest.mark.parametrize(
    ("scheme", "password", "problem"),
    [
        (
            "BLF-CRYPT",
            "é" * 37,
            "it has 74 bytes and BLF-CRYPT takes 72: shorten it, or choose scheme ARGON2ID",
        ),
        (
            "SHA512-CRYPT",
            "a" * 512,
            "it has 512 bytes and SHA512-CRYPT takes 511: shorten it, or choose scheme ARGON2ID",
        ),
        ("ARGON2ID", "a\0b", "it contains a NUL byte, which no login can send: remove it"),
    ],
)
def test_a_password_that_the_scheme_does_not_take_is_refused(
    scheme: str, password: str, problem: str
) -> None:
    house = changed("services.0.password", password) | {"password_scheme": scheme}
    assert house_problems(house) == [f"mail_services[0] (gitea).password: {problem}"]


def test_no_problem_contains_a_secret() -> None:
    house = copy.deepcopy(SOUND)
    house["users"] = [
        {**user, "name": "not a name", "password_hash": "secret-hash"} for user in house["users"]
    ]
    house["providers"] = [{**house["providers"][0], "owner": "nobody", "address": "x", "smtp_host": "y"}]
    problems = house_problems(house)
    assert problems
    assert not any("secret" in problem for problem in problems)


@pytest.mark.parametrize("size", ["", "0", 0, "1K", "500m", "5G", "8388607T"])
def test_sizes_of_mailboxes(size: object) -> None:
    assert house_problems({"quota": size}) == []


# --- a directory

LDAP = {
    "uri": "ldaps://ldap.home.internal",
    "base": "dc=home",
    "bind_dn": "",
    "bind_password": "",
    "starttls": False,
    "allow_cleartext": False,
    "ca": "/etc/ssl/certs/ca-certificates.crt",
    "filter": "(uid=*)",
    "login_attribute": "uid",
}


def test_a_directory_may_know_the_owner_of_an_account() -> None:
    house = changed("providers.0.owner", "anna")
    assert house_problems({**house, "ldap": LDAP}) == []
    assert house_problems({**house, "ldap": {**LDAP, "uri": ""}}) == [
        "mail_providers[0] (gmail).owner: 'anna' is not a user; write one of il, guest"
    ]


def test_a_directory_is_checked() -> None:
    assert house_problems({**SOUND, "ldap": {**LDAP, "base": ""}}) == [
        "mail_ldap_base: '' is not a distinguished name; "
        "write where the people are, such as 'ou=people,dc=home,dc=internal'"
    ]


POSTMASTER = "postfix_relay_postmaster: "
NOBODY = "is empty, and mail to postmaster, abuse and root would reach nobody; "
ANY_PERSON = "write the name of a person of the directory"


@pytest.mark.parametrize(
    ("postmaster", "users", "ldap", "problem"),
    [
        ("Guest", SOUND["users"], "", None),
        ("", SOUND["users"], "", f"{NOBODY}write one of il, guest"),
        # Neither an alias nor an address is a user.
        ("postmaster", SOUND["users"], "", "'postmaster' is not a user; write one of il, guest"),
        ("il@home.internal", SOUND["users"], "", "'il@home.internal' is not a user; write one of il, guest"),
        ("anna", SOUND["users"], LDAP["uri"], None),
        ("", [], LDAP["uri"], f"{NOBODY}{ANY_PERSON}"),
        # A role alone, which knows no people.
        ("", [], "", None),
    ],
    ids=["user", "empty", "alias", "address", "person-of-the-directory", "directory-alone", "nobody-there"],
)
def test_somebody_is_the_postmaster(
    postmaster: str, users: list[dict[str, Any]], ldap: str, problem: str | None
) -> None:
    house = {"users": users, "postmaster": postmaster, "ldap": {**LDAP, "uri": ldap}}
    assert house_problems(house) == ([POSTMASTER + problem] if problem else [])


@pytest.mark.parametrize(
    ("warning", "lifetime", "problem"),
    [
        ("0h", "1w", None),
        ("90s", "36h", None),
        (
            "4",
            "5d",
            "delay_warning: '4' is no time; write a number with s, m, h, d or w, such as '4h', or '0h' to warn nobody",
        ),
        (
            "4 hours",
            "5d",
            "delay_warning: '4 hours' is no time; write a number with s, m, h, d or w, such as '4h', or '0h' to "
            "warn nobody",
        ),
        # Mail that is tried once would be lost whenever a provider greylists or rests.
        ("4h", "0d", "queue_lifetime: '0d' is no time; write a number with s, m, h, d or w, such as '5d'"),
        ("4h", "", "queue_lifetime: '' is no time; write a number with s, m, h, d or w, such as '5d'"),
    ],
)
def test_times_of_the_queue(warning: str, lifetime: str, problem: str | None) -> None:
    house = {"delay_warning": warning, "queue_lifetime": lifetime}
    assert house_problems(house) == ([f"postfix_relay_{problem}"] if problem else [])
