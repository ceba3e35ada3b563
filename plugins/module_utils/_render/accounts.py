# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The people and machines of a house as accounts of Dovecot."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any


def house_address(local: str, domain: str) -> str:
    """One address of the house in lower case, as Postfix and Dovecot look it up: 'Il' and 'il' are one account."""
    return f"{local}@{domain}".lower()


def user_addresses(user: Mapping[str, Any], domain: str) -> list[str]:
    """All addresses of one entry of `mail_users` in the house: the name first, then aliases."""
    return [house_address(local, domain) for local in (user["name"], *(user.get("aliases") or []))]


def service_addresses(service: Mapping[str, Any], domain: str) -> list[str]:
    """Return the addresses that one entry of `mail_services` may send as."""
    return [a.lower() for a in service.get("addresses") or [house_address(service["name"], domain)]]


def dovecot_accounts(
    entries: Sequence[Mapping[str, Any]], domain: str, sends_only: bool = False, quota_field: str = ""
) -> list[dict[str, Any]]:
    """Turn `mail_users` or `mail_services` into accounts for the dovecot_passwd_file module.

    sends_only: the accounts may log in to send mail, but not to IMAP, POP3 or ManageSieve: Dovecot tells its own
    login processes so in the field `nologin`, which Postfix does not ask for
    (https://doc.dovecot.org/main/core/config/auth/passdb.html).
    quota_field: the field that holds an account's quota, with {} for the size, as the series of Dovecot spells it.
    """
    return [
        {
            "name": house_address(entry["name"], domain),
            **{key: entry[key] for key in ("password", "password_hash") if entry.get(key)},
            "extra_fields": _fields(entry, sends_only, quota_field),
        }
        for entry in entries
    ]


def _fields(entry: Mapping[str, Any], sends_only: bool, quota_field: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"nologin": ""} if sends_only else {}
    if entry.get("allowed_networks"):
        # https://doc.dovecot.org/main/core/config/auth/passdb.html#allow-nets
        networks = [str(ipaddress.ip_network(str(network))) for network in entry["allowed_networks"]]
        fields["allow_nets"] = ",".join(networks)
    if entry.get("quota") not in (None, ""):
        name, __, value = quota_field.partition("=")
        fields[name] = value.format(str(entry["quota"]).upper())
    return fields | (entry.get("extra_fields") or {})


def dovecot_aliases(users: Sequence[Mapping[str, Any]], domain: str) -> str:
    """Write the aliases of `mail_users` as a passwd-file whose entries lead to the account that has them.

    The field `user` renames the one who is looked up
    (https://doc.dovecot.org/main/core/config/auth/userdb.html#userdb-extra-fields).
    """
    return "".join(
        f"{house_address(alias, domain)}:::::::userdb_user={house_address(user['name'], domain)}\n"
        for user in users
        for alias in user.get("aliases") or []
    )
