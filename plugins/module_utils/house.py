# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a house's description may say, checked before any host is changed.

Each function returns problems: sentences that name the variable, what was found and what to write instead.
A secret is never part of one.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils.addresses import is_domain, is_local_part
from ansible_collections.ilnmors.mail.plugins.module_utils.connection_limits import limit_problems
from ansible_collections.ilnmors.mail.plugins.module_utils.dovecot_hash import (
    Argon2id,
    SchemeError,
    make_scheme,
)
from ansible_collections.ilnmors.mail.plugins.module_utils.dovecot_passwd import (
    PasswdFileError,
    read_fields,
    read_hash,
    read_password,
)
from ansible_collections.ilnmors.mail.plugins.module_utils.dovecot_settings import setting_problems
from ansible_collections.ilnmors.mail.plugins.module_utils.fetch import twice_problems
from ansible_collections.ilnmors.mail.plugins.module_utils.host_network import (
    host_network,
    is_own,
    is_private,
    is_shared,
    listen_problems,
)
from ansible_collections.ilnmors.mail.plugins.module_utils.house_fetch import (
    fetch_option_problems,
    fetch_problems,
)
from ansible_collections.ilnmors.mail.plugins.module_utils.house_senders import (
    display_name_problems,
    provider_problems,
    sender_problems,
    service_address_problems,
)
from ansible_collections.ilnmors.mail.plugins.module_utils.ldap import ldap_problems

# What Dovecot lets log in (auth_username_chars), of that.
_LOGIN = re.compile(r"(?=.{1,64}\Z)[a-z0-9_-]+(\.[a-z0-9_-]+)*\Z", re.IGNORECASE)
# KiB for one hash, which leaves a process of Dovecot half of its default_vsz_limit.
_MOST_MEMORY = 2**19
Entries = Sequence[Mapping[str, Any]]


# Fields of the passwd-file that other options hold, or that the role writes: who an account is and where its mail lies.
_OWN_FIELDS = {
    "allow_nets": "write allowed_networks instead",
    "userdb_quota_rule": "write quota instead",
    "userdb_quota_storage_size": "write quota instead",
    "nopassword": "write password or password_hash",
    **dict.fromkeys(
        (
            *("user", "username", "domain", "login_user", "noauthenticate", "userdb_user", "userdb_uid"),
            *("userdb_gid", "userdb_home", "userdb_mail", "userdb_mail_location", "userdb_mail_driver"),
            *("userdb_mail_path", "userdb_mail_home", "userdb_chroot"),
        ),
        "the role says that itself: remove it",
    ),
}


def domain_problems(variable: str, value: object, example: str) -> Iterator[str]:
    """Check a domain or host name."""
    if not is_domain(value):
        yield f"{variable}: {value!r} is not a fully qualified domain name; write one such as {example!r}"


def network_problems(networks: Sequence[object], allow_public: bool) -> Iterator[str]:
    """Check `mail_trusted_networks`: CIDR networks, none of them public address space unless allowed."""
    for index, value in enumerate(networks):
        where = f"mail_trusted_networks[{index}]"
        try:
            network = ipaddress.ip_network(str(value))
        except ValueError:
            yield (
                f"{where}: {value!r} is not a network in CIDR form; write one such as '192.168.1.0/24' or "
                "'fd00:1::/64' (no bits set beyond the prefix)"
            )
            continue
        if network.prefixlen == 0:
            yield (
                f"{where}: {value!r} is every machine there is: anyone could send mail through the house's accounts; "
                "write the house's private network"
            )
        elif allow_public or is_own(network):
            continue
        elif is_shared(network):
            yield (
                f"{where}: {value!r} is address space that a carrier's customers share (RFC 6598), even if a VPN uses "
                "it too: write single addresses, such as '100.64.0.7/32', "
                "or set mail_trust_public_networks: true if you mean it"
            )
        else:
            yield (
                f"{where}: {value!r} is public address space: strangers could send mail through the house; "
                "write the house's private network, or set mail_trust_public_networks: true if you mean it"
            )


def metrics_problems(address: str, facts: Mapping[str, Any] | None) -> Iterator[str]:
    """Check the address that metrics are offered at: a private one of the host, empty for none.

    facts: the host's (see host_network), None where they are not known.
    """
    variable = "dovecot_imap_metrics_address"
    if not address:
        return
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        yield f"{variable}: {address!r} is not an IP address; write one of the host's, such as '127.0.0.1'"
        return
    if found.is_unspecified or not is_private(ipaddress.ip_network(address)):
        yield (
            f"{variable}: {address!r} would offer the metrics to strangers, for anyone may read them; "
            "write a private address of the host, such as '127.0.0.1'"
        )
    elif facts is not None and not found.is_loopback and found not in (host := host_network(facts)).addresses:
        own = ", ".join(map(str, ("127.0.0.1", *host.addresses)))
        yield (
            f"{variable}: {address!r} is no address of the host, and Dovecot would stop; write one of its own ({own})"
        )


def quota_problems(variable: str, value: object) -> Iterator[str]:
    """Check the size of a mailbox. A number without a unit means bytes to Dovecot 2.4, and kilobytes to 2.3."""
    if value in (None, "", 0, "0"):
        return
    found = re.fullmatch(r"([1-9][0-9]*)([BKMGT])", str(value), re.IGNORECASE | re.ASCII)
    # Dovecot counts in signed 64 bits; 2.4 takes what is more for no limit.
    if not found or int(found[1]) << 10 * "BKMGT".index(found[2].upper()) >= 1 << 63:
        yield (
            f"{variable}: {value!r} is no size; write a whole number with B, K, M, G or T, such as '5G', "
            "or '0' for none"
        )


def expiry_problems(days: Mapping[str, object]) -> Iterator[str]:
    """Check after how many days messages are deleted, by the name of the variable."""
    for variable, value in days.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            yield f"{variable}: {value!r} is no number of days; write one such as 30, or 0 to keep messages"


def queue_time_problems(delay_warning: str, lifetime: str) -> Iterator[str]:
    """Check the times of mail that waits, as postconf(5) writes them, with a unit: people are told of them."""
    for variable, value, number, example in (
        ("postfix_relay_delay_warning", delay_warning, "[0-9]+", "'4h', or '0h' to warn nobody"),
        ("postfix_relay_queue_lifetime", lifetime, "[1-9][0-9]*", "'5d'"),
    ):
        if not re.fullmatch(f"{number}[smhdw]", value, re.ASCII):
            yield f"{variable}: {value!r} is no time; write a number with s, m, h, d or w, such as {example}"


def client_problems(clients_per_user: int) -> Iterator[str]:
    """Check how many mail programs a person may use."""
    if clients_per_user < 1:
        yield f"dovecot_imap_clients_per_user: {clients_per_user} leaves no connection; write 1 or more"


def account_problems(users: Entries, services: Entries) -> Iterator[str]:
    """Check `mail_users` and `mail_services`: names, passwords, and names that claim the same address."""
    seen: dict[str, str] = {}

    def claim(where: str, name: str) -> Iterator[str]:
        owner = seen.setdefault(name.lower(), where)
        if owner != where:
            yield f"{where}: {name!r} is taken by {owner} already; choose another name or remove one of them"

    for variable, entries in (("mail_users", users), ("mail_services", services)):
        for index, entry in enumerate(entries):
            where = f"{variable}[{index}]"
            name = entry.get("name")
            if not isinstance(name, str) or not _LOGIN.match(name):
                yield (
                    f"{where}.name: {name!r} is no name to log in with; write one such as 'il' or 'il.home', "
                    "of letters, digits, '-', '_' and single dots inside"
                )
                continue
            yield from claim(f"{where}.name", name)
            yield from _password_problems(f"{where} ({name})", entry)
            yield from _allowed_network_problems(f"{where} ({name})", entry.get("allowed_networks"))
            yield from _field_problems(f"{where} ({name})", entry.get("extra_fields"))

    for index, entry in enumerate(users):
        yield from quota_problems(f"mail_users[{index}].quota", entry.get("quota"))
        for position, alias in enumerate(entry.get("aliases") or []):
            where = f"mail_users[{index}].aliases[{position}]"
            if not is_local_part(alias):
                yield f"{where}: {alias!r} is not the local part of an address; write one such as 'postmaster'"
            else:
                yield from claim(where, alias)

    catch_alls = [str(entry.get("name")) for entry in users if entry.get("catch_all")]
    if len(catch_alls) > 1:
        yield f"mail_users: {', '.join(catch_alls)} all have catch_all: true; only one user can"


def _password_problems(where: str, entry: Mapping[str, Any]) -> Iterator[str]:
    given = [key for key in ("password", "password_hash") if entry.get(key)]
    if not given:
        yield f"{where}: has neither password nor password_hash; set one of them"
    if len(given) > 1:
        yield f"{where}: has both password and password_hash; remove one of them"
    if given == ["password_hash"]:
        yield from _refused(lambda: read_hash(where, str(entry["password_hash"])))


def _allowed_network_problems(where: str, networks: object) -> Iterator[str]:
    if networks is None:
        return
    where += ".allowed_networks"
    if not isinstance(networks, Sequence) or isinstance(networks, str) or not networks:
        yield f"{where}: is no list of networks; write one such as ['192.168.1.0/24'], or leave it out"
        return
    for index, value in enumerate(networks):
        try:
            ipaddress.ip_network(str(value))
        except ValueError:
            yield (
                f"{where}[{index}]: {value!r} is neither an address nor a network in CIDR form; write one such as "
                "'192.168.1.7', '192.168.1.0/24' or 'fd00:1::/64' (no bits set beyond the prefix)"
            )


def _field_problems(where: str, fields: object) -> Iterator[str]:
    if fields is None:
        return
    if not isinstance(fields, Mapping) or not all(isinstance(name, str) for name in fields):
        yield f"{where}.extra_fields: is no dictionary; write each field as 'name: value'"
        return
    yield from (f"{where}.extra_fields.{name}: {_OWN_FIELDS[name]}" for name in fields if name in _OWN_FIELDS)
    yield from _refused(lambda: read_fields(where, fields))


def hashing_problems(
    users: Entries, services: Entries, scheme: str, costs: Mapping[str, object]
) -> Iterator[str]:
    """Check the costs of a scheme, and whether it takes the passwords. costs: by the module's names of its options."""
    try:
        hashing = make_scheme(scheme, {name: int(str(cost)) for name, cost in costs.items()})
    except SchemeError as error:
        yield f"dovecot_imap_{error}"
        return
    if isinstance(hashing, Argon2id) and hashing.memory > _MOST_MEMORY:
        yield (
            f"dovecot_imap_argon2_memory: found {hashing.memory}, with which nobody could log in, for it is more than "
            f"a process of Dovecot may have; write {_MOST_MEMORY} (512 MiB) or less"
        )
    for variable, entries in (("mail_users", users), ("mail_services", services)):
        for index, entry in enumerate(entries):
            if entry.get("password"):
                where = f"{variable}[{index}] ({entry.get('name')})"
                yield from _refused(partial(read_password, where, str(entry["password"]), hashing))


def _refused(read: Callable[[], object]) -> Iterator[str]:
    """Say why what is read cannot stand in a passwd-file, as the module that writes it would."""
    try:
        read()
    except PasswdFileError as error:
        yield str(error)


def postmaster_problems(postmaster: str, users: Entries, has_directory: bool) -> Iterator[str]:
    """Check who receives the mail for postmaster, abuse and root; in a house of nobody, nobody does.

    has_directory: whether there are people whom `mail_users` does not list.
    """
    names = [str(user.get("name")) for user in users]
    choice = f"write one of {', '.join(names)}" if names else "write the name of a person of the directory"
    if not postmaster and (names or has_directory):
        yield f"postfix_relay_postmaster: is empty, and mail to postmaster, abuse and root would reach nobody; {choice}"
    elif names and not has_directory and postmaster.lower() not in map(str.lower, names):
        yield f"postfix_relay_postmaster: {postmaster!r} is not a user; {choice}"


def tls_problems(certificate: str, key: str) -> Iterator[str]:
    """Check that a certificate that the user brings comes with its key, both as absolute paths."""
    for variable, value, other, other_value in (
        ("mail_tls_certificate", certificate, "mail_tls_key", key),
        ("mail_tls_key", key, "mail_tls_certificate", certificate),
    ):
        if value and not other_value:
            yield (
                f"{variable}: {value!r} is set, but {other} is not; "
                "set both, or neither for the house's own authority"
            )
        if value and not value.startswith("/"):
            yield f"{variable}: {value!r} is not an absolute path on the host; write one such as '/etc/ssl/mail.pem'"


def certificate_name_problems(names: Sequence[str], ca_domains: Sequence[str]) -> Iterator[str]:
    """Check that the authority may issue for a host's names (name constraints, RFC 5280 section 4.2.1.10)."""
    for name in names:
        if not any(f".{name}".lower().endswith(f".{domain}".lower()) for domain in ca_domains):
            yield (
                f"mail_tls_names: {name!r} is outside the domains of the house's authority "
                f"({', '.join(ca_domains)}); choose a name inside, or add its domain to mail_tls_ca_domains"
            )


KEYS = frozenset(
    (
        *(
            "domain",
            "hostname",
            "webmail_hostname",
            "users",
            "services",
            "providers",
            "default_provider",
            "fetch",
        ),
        *("fetching_hosts", "trusted_networks", "trust_public_networks", "listen", "ldap", "tls_certificate"),
        *("tls_key", "tls_names", "tls_ca_domains", "postmaster", "delay_warning", "queue_lifetime"),
        *("metrics_address", "clients_per_user", "quota", "expiry", "extra_settings", "password_scheme"),
        "password_costs",
        "limit",
    )
)
SUBKEYS = {
    "limit": frozenset(("connections", "ignored")),
    "fetch": frozenset(("interval", "paths")),
    "listen": frozenset(("addresses", "public", "facts")),
    "ldap": frozenset(
        (
            *("uri", "base", "bind_dn", "bind_password", "starttls", "allow_cleartext", "ca", "filter"),
            *("login_attribute", "quota_attribute"),
        )
    ),
}


def _unknown_keys(where: str, given: Mapping[str, object], known: Collection[str]) -> Iterator[str]:
    for key in given:
        if key not in known:
            yield f"{where}: {key!r} is not known; write one of {', '.join(sorted(known))}"


def _entries(variable: str, value: object) -> Iterator[str]:
    if (
        not isinstance(value, Sequence)
        or isinstance(value, str)
        or not all(isinstance(e, Mapping) for e in value)
    ):
        yield f"{variable}: is not a list of dictionaries; write each entry as '- name: …'"


def house_problems(house: Mapping[str, Any]) -> list[str]:
    """All problems of what is given of a house's description.

    house: any of KEYS. What is not given is not checked, so that each role checks what it knows; what is no key is a
    problem itself, for a misspelt one would turn a check off.
    """
    unknown = list(_unknown_keys("house_problems", house, KEYS))
    for key, keys in SUBKEYS.items():
        unknown += _unknown_keys(f"house_problems: {key}", house.get(key) or {}, keys)
    if unknown:
        return unknown
    lists = {key: house.get(key) or [] for key in ("users", "services", "providers")}
    problems = [problem for key, value in lists.items() for problem in _entries(f"mail_{key}", value)]
    if problems:
        return problems

    checks: list[tuple[str, Callable[[], Iterable[str]]]] = [
        ("domain", lambda: domain_problems("mail_domain", house["domain"], "home.internal")),
        ("hostname", lambda: domain_problems("mail_hostname", house["hostname"], "mail.home.internal")),
        (
            "webmail_hostname",
            lambda: domain_problems(
                "mail_webmail_hostname", house["webmail_hostname"], "webmail.home.internal"
            ),
        ),
        ("users", lambda: account_problems(lists["users"], lists["services"])),
        (
            "postmaster",
            lambda: postmaster_problems(
                house["postmaster"] or "", lists["users"], bool(house.get("ldap", {}).get("uri"))
            ),
        ),
        ("services", lambda: service_address_problems(lists["services"], str(house.get("domain")))),
        ("users", lambda: display_name_problems(lists["users"])),
        (
            "providers",
            lambda: sender_problems(
                lists["users"], lists["services"], lists["providers"], str(house.get("domain"))
            ),
        ),
        (
            "password_scheme",
            lambda: hashing_problems(
                lists["users"], lists["services"], house["password_scheme"], house["password_costs"]
            ),
        ),
        (
            "providers",
            lambda: provider_problems(
                lists["providers"],
                # A directory may know people whom mail_users does not.
                None if house.get("ldap", {}).get("uri") else house.get("users"),
                house.get("default_provider"),
            ),
        ),
        ("providers", lambda: fetch_problems(lists["providers"])),
        (
            "fetch",
            lambda: fetch_option_problems(house["fetch"]["interval"], house["fetch"]["paths"]),
        ),
        ("fetching_hosts", lambda: twice_problems(house["fetching_hosts"])),
        (
            "trusted_networks",
            lambda: network_problems(house["trusted_networks"], bool(house.get("trust_public_networks"))),
        ),
        (
            "listen",
            lambda: listen_problems(
                house["listen"]["addresses"],
                house["listen"]["public"],
                host_network(house["listen"]["facts"]),
            ),
        ),
        (
            "queue_lifetime",
            lambda: queue_time_problems(house["delay_warning"], house["queue_lifetime"]),
        ),
        ("limit", lambda: limit_problems(house["limit"]["connections"], house["limit"]["ignored"])),
        (
            "metrics_address",
            lambda: metrics_problems(house["metrics_address"], house.get("listen", {}).get("facts")),
        ),
        ("clients_per_user", lambda: client_problems(house["clients_per_user"])),
        ("quota", lambda: quota_problems("mail_quota", house["quota"])),
        ("expiry", lambda: expiry_problems(house["expiry"])),
        (
            "extra_settings",
            lambda: setting_problems("dovecot_imap_extra_settings", house["extra_settings"]),
        ),
        ("ldap", lambda: ldap_problems(house["ldap"])),
        ("tls_certificate", lambda: tls_problems(house["tls_certificate"] or "", house.get("tls_key") or "")),
        ("tls_names", lambda: certificate_name_problems(house["tls_names"], house["tls_ca_domains"])),
    ]
    return [problem for key, check in checks if key in house for problem in check()]
