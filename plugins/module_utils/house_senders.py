# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a house's description may say of those who send, and of the accounts that carry their mail to the world.

Each function returns problems, as house.py does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils.addresses import (
    has_control_characters,
    is_address,
    is_domain,
)
from ansible_collections.ilnmors.mail.plugins.module_utils.oauth2 import login_problems
from ansible_collections.ilnmors.mail.plugins.module_utils.provider_profiles import PROFILES

# The name of a provider becomes that of files, systemd units and a Postfix service.
_PROVIDER_NAME = re.compile(r"[a-z0-9][a-z0-9_]*\Z")

Entries = Sequence[Mapping[str, Any]]


def service_address_problems(services: Entries, domain: str) -> Iterator[str]:
    """Check that a service sends only as addresses of the house."""
    for index, entry in enumerate(services):
        for position, address in enumerate(entry.get("addresses") or []):
            if not is_address(address) or not str(address).lower().endswith(f"@{domain}".lower()):
                yield (
                    f"mail_services[{index}].addresses[{position}]: {address!r} is not an address of the house; "
                    f"write one such as '{entry.get('name')}@{domain}'"
                )


def provider_problems(providers: Entries, users: Entries | None, default: str | None) -> Iterator[str]:
    """Check `mail_providers` and `mail_default_provider`.

    users: `mail_users`, or None where the caller does not know them (a role used alone).
    """
    names: list[str] = []
    owners = None if users is None else [str(user.get("name")) for user in users]
    for index, entry in enumerate(providers):
        where = f"mail_providers[{index}]"
        name = entry.get("name")
        if not isinstance(name, str) or not _PROVIDER_NAME.match(name):
            yield f"{where}.name: {name!r} is not a short name; use lower-case letters, digits and '_', such as 'gmail'"
            continue
        if name in names:
            yield f"{where}.name: {name!r} is there twice; give each account a name of its own"
        names.append(name)
        yield from _provider_entry_problems(f"{where} ({name})", entry, owners)

    if default and default not in names:
        known = ", ".join(names) or "none"
        yield f"mail_default_provider: {default!r} is not in mail_providers (there: {known}); write one of those names"
    elif default and not next(entry for entry in providers if entry["name"] == default).get("relay", True):
        yield f"mail_default_provider: {default!r} has relay: false; choose one that relays, or remove that line"


def _provider_entry_problems(
    where: str, entry: Mapping[str, Any], owners: Sequence[str] | None
) -> Iterator[str]:
    profile = entry.get("profile")
    if profile and profile not in PROFILES:
        yield (
            f"{where}.profile: {profile!r} is not known; write one of {', '.join(PROFILES)}; "
            "custom, or none, wants smtp_host and imap_host"
        )
    if not is_address(entry.get("address")):
        yield (
            f"{where}.address: {entry.get('address')!r} is not a mail address; "
            "write the account's, such as 'il@gmail.com'"
        )
    yield from login_problems(where, entry)
    yield from _text_problems(where, entry)
    owner = entry.get("owner")
    if not owner:
        yield f"{where}: has no owner; write the name of the user in mail_users whose account it is"
    elif owners is not None and owner not in owners:
        yield f"{where}.owner: {owner!r} is not a user; write one of {', '.join(owners) or 'mail_users'}"
    for key, use in (("smtp_host", "relay"), ("imap_host", "fetch")):
        host = entry.get(key)
        if host is not None and not is_domain(host):
            yield f"{where}.{key}: {host!r} is not a host name; write one such as 'smtp.example.org'"
        elif host is None and profile in (None, "", "custom") and entry.get(use, True):
            yield f"{where}: has neither a profile nor {key}; set one of them, or {use}: false"
    if (
        entry.get("smtp_tls") == "none"
        and not entry.get("allow_cleartext")
        and not _in_house(host := _smtp_host(entry))
    ):
        yield (
            f"{where}.smtp_tls: none would send the password and all mail to {host!r} where everybody on the way can "
            "read them; remove it, or set allow_cleartext: true if that host is one of the house"
        )


def _smtp_host(entry: Mapping[str, Any]) -> str:
    profile = PROFILES.get(str(entry.get("profile")))
    return str(entry.get("smtp_host") or (profile.smtp_host if profile else ""))


def _in_house(host: str) -> bool:
    """Whether a name can only be one of a private network (RFC 6762, RFC 8375, and ICANN's reserved .internal)."""
    return host.lower().endswith((".internal", ".local", ".home.arpa", ".lan"))


def _text_problems(where: str, entry: Mapping[str, Any]) -> Iterator[str]:
    """Check what becomes a line of a lookup table, as the module that writes it would; a password is never shown."""
    username, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    if has_control_characters(username) or ":" in username:
        yield f"{where}.username: {username!r} holds a line break, a control character or a colon; remove that"
    elif username != username.strip():
        yield f"{where}.username: {username!r} begins or ends with white space, which would be lost; remove it"
    if has_control_characters(password):
        yield f"{where}.password: holds a line break or another control character; write it on one line"
    elif password != password.strip():
        yield (
            f"{where}.password: begins or ends with white space, which would be lost; remove it, "
            "or choose another password"
        )
    for position, alias in enumerate(entry.get("aliases") or []):
        if not is_address(alias):
            yield (
                f"{where}.aliases[{position}]: {alias!r} is not a mail address; "
                "write one that the account may send as, such as 'il@example.org'"
            )


def sender_problems(users: Entries, services: Entries, providers: Entries, domain: str) -> Iterator[str]:
    """Check that each sender's address has one owner, and that the account that a machine names can carry mail."""
    owners: dict[str, tuple[str, str]] = {}
    claims = [
        (f"mail_users[{index}]", str(user.get("name")), f"{local}@{domain}")
        for index, user in enumerate(users)
        for local in (user.get("name"), *(user.get("aliases") or []))
    ]
    claims += [
        (f"mail_services[{index}].addresses[{position}]", str(service.get("name")), str(address))
        for index, service in enumerate(services)
        for position, address in enumerate(service.get("addresses") or [f"{service.get('name')}@{domain}"])
    ]
    claims += [
        (f"mail_providers[{index}].{key}", str(provider.get("owner")), str(address))
        for index, provider in enumerate(providers)
        for key, address in (
            ("address", provider.get("address")),
            *(
                (f"aliases[{position}]", alias)
                for position, alias in enumerate(provider.get("aliases") or [])
            ),
        )
    ]
    for where, owner, address in claims:
        first, first_owner = owners.setdefault(address.lower(), (where, owner))
        # That two people have the same name or alias is said by account_problems.
        if owner != first_owner and not where.startswith("mail_users"):
            yield (
                f"{where}: {address!r} belongs to {first_owner!r} already ({first}); "
                "an address has one owner: remove it from one of them"
            )

    relaying = [entry.get("name") for entry in providers if entry.get("relay", True)]
    for index, service in enumerate(services):
        provider = service.get("provider")
        if provider and provider not in relaying:
            yield (
                f"mail_services[{index}].provider: {provider!r} is no account that relays; write one of "
                f"{', '.join(map(str, relaying)) or 'mail_providers'}, or leave it out for the default"
            )


def display_name_problems(users: Entries) -> Iterator[str]:
    """Check the names that stand before people's addresses."""
    for index, user in enumerate(users):
        if has_control_characters(str(user.get("display_name") or "")):
            yield (
                f"mail_users[{index}].display_name: {user['display_name']!r} holds a line break or another control "
                "character; write it on one line"
            )
