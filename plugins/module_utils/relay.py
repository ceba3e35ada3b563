# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Postfix needs to know of a house: its lookup tables and its relay transports."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils.accounts import house_address
from ansible_collections.ilnmors.mail.plugins.module_utils.providers import Provider, resolve_all

Table = dict[str, str]
Entries = Sequence[Mapping[str, Any]]

# RFC 2142 section 5 and RFC 5321 section 4.5.1, and what Debian's cron and daemons write to.
ROLE_ACCOUNTS = ("postmaster", "abuse", "root", "mailer-daemon")


def user_addresses(user: Mapping[str, Any], domain: str) -> list[str]:
    """All addresses of one entry of `mail_users` in the house: the name first, then aliases."""
    return [house_address(local, domain) for local in (user["name"], *(user.get("aliases") or []))]


def mailboxes(users: Entries, domain: str) -> Table:
    """Build virtual_mailbox_maps (virtual(8)): every mailbox; the value only has to exist."""
    return {house_address(user["name"], domain): "-" for user in users}


def aliases(users: Entries, domain: str, postmaster: str) -> Table:
    """Build virtual_alias_maps (virtual(5)).

    postmaster: name of the user who receives what is addressed to a role account that nobody has as an alias.
    """
    roles = [house_address(role, domain) for role in ROLE_ACCOUNTS] if postmaster else []
    table = dict.fromkeys(roles, house_address(postmaster, domain))
    for user in users:
        name, *others = user_addresses(user, domain)
        table.pop(name, None)
        table.update(dict.fromkeys(others, name))
    catch_all = next((user["name"] for user in users if user.get("catch_all")), None)
    if catch_all:
        # A catch-all alias comes before mailboxes; each mailbox keeps its own mail by naming itself.
        table.update({name: name for name in mailboxes(users, domain)})
        table[house_address("", domain)] = house_address(catch_all, domain)
    return table


def sender_logins(users: Entries, services: Entries, providers: Entries, domain: str) -> Table:
    """Build smtpd_sender_login_maps (postconf(5)): which logins own an address, separated by commas."""
    owners: dict[str, dict[str, None]] = {}  # dictionaries as sets that keep their order

    def grant(name: str, addresses: Sequence[str]) -> None:
        for address in addresses:
            owners.setdefault(address.lower(), {})[house_address(name, domain)] = None

    for user in users:
        grant(user["name"], user_addresses(user, domain))
    for service in services:
        grant(service["name"], service.get("addresses") or [house_address(service["name"], domain)])
    for provider in resolve_all(providers):
        grant(provider.owner, [provider.address])
    return {address: ", ".join(logins) for address, logins in owners.items()}


def mynetworks(networks: Sequence[str]) -> str:
    """Build mynetworks (postconf(5)), which wants IPv6 addresses in brackets, and a prefix after each."""
    parsed = [ipaddress.ip_network(network) for network in networks]
    return " ".join(
        f"[{network.network_address}]/{network.prefixlen}" if network.version == 6 else str(network)
        for network in parsed
    )


def setting_value(value: object) -> str:
    """One value of main.cf: YAML's booleans as postconf(5) writes them, and nothing for null."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def override_settings(text: str, settings: Mapping[str, Any]) -> str:
    """Give a main.cf other values: in place where it has the setting, else at its end.

    Postfix would take the last of two lines as well, but warn of it each time it reads them.
    """
    lines = text.splitlines()
    names = [line.partition("=")[0].strip() for line in lines]
    for name, value in settings.items():
        line = f"{name} = {setting_value(value)}".rstrip()
        if name in names:
            lines[names.index(name)] = line
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def relays(providers: Entries) -> list[Provider]:
    """Return the accounts that carry outgoing mail."""
    return [provider for provider in resolve_all(providers) if provider.relay]


def sender_transports(users: Entries, providers: Entries, domain: str) -> Table:
    """Build sender_dependent_default_transport_maps: a sender's mail for the world leaves through its own account.

    An owner's addresses use the first account that the owner has; an account's own address always uses that account.
    """
    table: Table = {}
    for provider in relays(providers):
        destination = f"{provider.transport}:{provider.nexthop}"
        table[provider.address.lower()] = destination
        # A person of a directory has no entry among the users, and one address.
        owner = next((user for user in users if user["name"] == provider.owner), {"name": provider.owner})
        for address in user_addresses(owner, domain):
            table.setdefault(address, destination)
    return table


def default_transport(providers: Entries, default: str | None) -> str:
    """Return default_transport: where mail goes whose sender has no account, or why it goes nowhere."""
    for provider in relays(providers):
        if provider.name == default:
            return f"{provider.transport}:{provider.nexthop}"
    return "error:5.7.1 this house has no provider account for mail to other domains"


def relay_transports(providers: Entries, domain: str, directory: str) -> list[dict[str, Any]]:
    """Describe one master.cf service for each account that relays.

    Each has its own credentials and its own table that gives what leaves through it the account's address.
    directory: where the lookup tables lie. `wrappermode` is "yes" for implicit TLS (RFC 8314).
    """
    return [
        {
            "name": provider.transport,
            "wrappermode": "yes" if provider.smtp_tls == "implicit" else "no",
            "passwords": {
                "path": f"{directory}/{provider.transport}.passwords",
                "entries": {provider.nexthop: f"{provider.username}:{provider.password}"},
                "secret": True,
            },
            "senders": {
                "path": f"{directory}/{provider.transport}.senders",
                "entries": {house_address("", domain): provider.address},
            },
        }
        for provider in relays(providers)
    ]


def postfix_tables(house: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that Postfix's templates and maps need of a house.

    house: domain (str), users, services, providers (lists as in the site variables), default_provider (str or
    None), postmaster (str), trusted_networks (list of str), directory (str, where the lookup tables lie).

    Returns: mynetworks (str), catch_all (bool, whether someone has the mail for nobody), maps (entries of the
    postfix_map module), transports (list of {name, wrappermode, passwords, senders}, the latter two the paths of
    their maps) and default_transport (str).
    """
    domain, directory = house["domain"], house["directory"]
    users, services, providers = house["users"], house["services"], house["providers"]
    transports = relay_transports(providers, domain, directory)
    tables = {
        "mailboxes": mailboxes(users, domain),
        "aliases": aliases(users, domain, house["postmaster"]),
        "sender_logins": sender_logins(users, services, providers, domain),
        "sender_transports": sender_transports(users, providers, domain),
    }
    maps = [{"path": f"{directory}/{name}", "entries": entries} for name, entries in tables.items()]
    maps += [transport[kind] for transport in transports for kind in ("passwords", "senders")]
    return {
        "mynetworks": mynetworks(house["trusted_networks"]),
        "catch_all": any(user.get("catch_all") for user in users),
        "maps": maps,
        "transports": [
            {**transport, **{kind: transport[kind]["path"] for kind in ("passwords", "senders")}}
            for transport in transports
        ],
        "default_transport": default_transport(providers, house.get("default_provider")),
    }
