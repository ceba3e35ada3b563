# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Postfix needs to know of a house: its lookup tables and its relay transports."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._render.accounts import (
    house_address,
    service_addresses,
    user_addresses,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._render.failover import (
    failover_accounts,
    failover_chains,
    sender_transport_maps,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._render.header_rewriting import header_rules
from ansible_collections.ilnmors.mail.plugins.module_utils._render.oauth2 import through_proxy
from ansible_collections.ilnmors.mail.plugins.module_utils._render.providers import Provider, resolve_all
from ansible_collections.ilnmors.mail.plugins.module_utils._render.sender_rewriting import (
    Rule,
    account_rules,
    inline_table,
    mark_rules,
    marked,
    null_marked,
    report_rules,
    return_addresses,
    return_rules,
    unmark_rules,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._site.host_network import (
    Network,
    host_network,
    untrusted_addresses,
)

Table = dict[str, str]

Entries = Sequence[Mapping[str, Any]]

# RFC 2142 section 5 and RFC 5321 section 4.5.1, and what Debian's cron and daemons write to.
ROLE_ACCOUNTS = ("postmaster", "abuse", "root", "mailer-daemon")


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


def own_names(hostname: str, domain: str) -> list[str]:
    """Return the names that programs on the mail host know it by: Postfix's default mydestination (postconf(5))."""
    names = (hostname.lower(), f"localhost.{domain}".lower(), "localhost")
    return [name for name in names if name != domain.lower()]


def host_aliases(addresses: Iterable[str], names: Sequence[str]) -> Table:
    """Deliver mail for the host itself in the house (virtual(5)), except for names that are unknown there as well.

    addresses: all that the house knows, its catch-all too; names: see own_names.
    """
    return {f"{address.rpartition('@')[0]}@{name}": address for address in addresses for name in names}


def sender_logins(users: Entries, services: Entries, providers: Entries, domain: str) -> Table:
    """Build smtpd_sender_login_maps (postconf(5)): which logins own an address, separated by commas."""
    owners: dict[str, dict[str, None]] = {}  # dictionaries as sets that keep their order

    def grant(name: str, addresses: Sequence[str]) -> None:
        for address in addresses:
            owners.setdefault(address.lower(), {})[house_address(name, domain)] = None

    for user in users:
        grant(user["name"], user_addresses(user, domain))
    for service in services:
        grant(service["name"], service_addresses(service, domain))
    for provider in relays(providers):
        # An owner may be a person of a directory, who stands nowhere else.
        grant(provider.owner, [house_address(provider.owner, domain), *provider.addresses])
    return {address: ", ".join(logins) for address, logins in owners.items()}


def mynetworks(networks: Sequence[str], facts: Mapping[str, Any]) -> str:
    """Build mynetworks (postconf(5)), which wants IPv6 addresses in brackets, and a prefix after each network.

    facts: the host's, for what speaks for strangers. It comes first, for the first that matches counts.
    """
    trusted = [ipaddress.ip_network(network) for network in networks]
    untrusted = map(ipaddress.ip_network, untrusted_addresses(trusted, host_network(facts)))
    pairs = [("!", network) for network in untrusted] + [("", network) for network in trusted]
    return " ".join(f"{mark}{network_pattern(network)}" for mark, network in pairs)


def network_pattern(network: Network) -> str:
    """Write a network as Postfix's lists have it: addresses of IPv6 in brackets (postconf(5), mynetworks)."""
    return f"[{network.network_address}]/{network.prefixlen}" if network.version == 6 else str(network)


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
    """Return the accounts that carry outgoing mail, as Postfix reaches them."""
    return [
        through_proxy(provider) if provider.oauth2 else provider
        for provider in resolve_all(providers)
        if provider.relay
    ]


def sender_transports(users: Entries, services: Entries, providers: Entries, domain: str) -> Table:
    """Build sender_dependent_default_transport_maps: a sender's mail for the world leaves through its own account.

    An account's addresses use that account, a machine's the one that it names, an owner's others the first that the
    owner has. Senders are marked, as they are in the queue.
    """
    table: Table = {}
    accounts = relays(providers)
    people = {user["name"]: user for user in users}
    for provider in accounts:
        table.update(dict.fromkeys(map(marked, provider.addresses), provider.destination))
    for provider in accounts:
        for service in services:
            if service.get("provider") == provider.name:
                addresses = service_addresses(service, domain)
                table.update(dict.fromkeys(map(marked, addresses), provider.destination))
                table[null_marked(house_address(service["name"], domain))] = provider.destination
        # A person of a directory has no entry among the users, and one address.
        owner = people.get(provider.owner, {"name": provider.owner})
        for address in user_addresses(owner, domain):
            table.setdefault(marked(address), provider.destination)
        table.setdefault(null_marked(house_address(owner["name"], domain)), provider.destination)
    return table


def default_account(providers: Entries, default: str | None) -> Provider | None:
    """Return the account that carries mail whose sender has none; default: its name."""
    return next((provider for provider in relays(providers) if provider.name == default), None)


def default_transport(providers: Entries, default: str | None) -> str:
    """Return default_transport: where mail goes whose sender has no account, or why it goes nowhere."""
    if account := default_account(providers, default):
        return account.destination
    return "error:5.7.1 this house has no provider account for mail to other domains"


def over_limit_options(provider: Provider) -> dict[str, str]:
    """Let mail wait that a provider refuses for good only because a limit is reached.

    smtp_delivery_status_filter (postconf(5)) sees an enhanced status code and the text after it. What is never final,
    whoever says it, is main.cf's.
    """
    rules = [Rule(rf"^5(\.{reply}.*)", "4$1") for reply in provider.over_limit]
    return {"smtp_delivery_status_filter": f"{inline_table(rules)}, $never_final"} if rules else {}


def relay_transports(providers: Entries, directory: str) -> list[dict[str, Any]]:
    """Describe one master.cf service for each account that relays: its own credentials, and itself as the sender.

    directory: where the lookup tables lie.

    Returns a list of {name, connections (at once), rate_delay (seconds between messages, 0 for none), options
    (of smtp(8), by their names) and passwords (an entry of the postfix_map module)}.
    """
    return [
        {
            "name": provider.transport,
            "connections": provider.connections,
            "rate_delay": math.ceil(60 / provider.messages_per_minute) if provider.messages_per_minute else 0,
            "options": {
                "smtp_tls_wrappermode": "yes" if provider.smtp_tls == "implicit" else "no",
                **({"smtp_tls_security_level": "none"} if provider.smtp_tls == "none" else {}),
                # By which the proxy knows whom to connect to.
                **({"smtp_helo_name": provider.name} if provider.oauth2 else {}),
                "smtp_sasl_password_maps": f"$default_database_type:{directory}/{provider.transport}.passwords",
                "smtp_generic_maps": inline_table(account_rules(provider)),
                **over_limit_options(provider),
            },
            "passwords": {
                "path": f"{directory}/{provider.transport}.passwords",
                "entries": {provider.nexthop: f"{provider.username}:{provider.password}"},
                "secret": True,
            },
        }
        for provider in relays(providers)
    ]


def postfix_tables(house: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that Postfix's templates and maps need of a house.

    house: domain, hostname (str), users, services, providers (lists as in the site variables), default_provider (str or
    None), failover (bool, of all accounts), postmaster (str), trusted_networks (list of str), facts (the host's
    ansible_facts), directory (str, where the lookup tables lie), ldap (bool, whether there are people whom users does
    not list).

    Returns: mynetworks (str), own_names (list of str, domains that are the mail host itself), catch_all (bool,
    whether someone has the mail for nobody), maps (entries of the postfix_map module), transports (see
    relay_transports; without their passwords), default_transport (str), sender_transport_maps (list of str), failover
    (see failover_accounts; empty where no account has one), mark, unmark and returns (inline tables:
    of envelope senders on their way in, out to a mailbox, and as recipients of what comes back), report_checks
    (an inline table, of the lines of Postfix's reports) and header_checks (str, a whole pcre table).
    """
    domain, directory, postmaster = house["domain"], house["directory"], house["postmaster"]
    users, services, providers = house["users"], house["services"], house["providers"]
    transports = relay_transports(providers, directory)
    returning = return_addresses(users, services, resolve_all(providers), domain, postmaster)
    names = own_names(house["hostname"], domain)
    default = house.get("default_provider")
    chains = failover_chains(relays(providers), house.get("failover", False))
    boxes, others = mailboxes(users, domain), aliases(users, domain, postmaster)
    tables = {
        "mailboxes": boxes,
        "aliases": others | host_aliases([*boxes, *others], names) | (returning if postmaster else {}),
        "sender_logins": sender_logins(users, services, providers, domain),
        "sender_transports": sender_transports(users, services, providers, domain),
    }
    maps = [{"path": f"{directory}/{name}", "entries": entries} for name, entries in tables.items()]
    return {
        "mynetworks": mynetworks(house["trusted_networks"], house["facts"]),
        "own_names": names,
        "catch_all": any(user.get("catch_all") for user in users),
        "maps": maps + [transport.pop("passwords") for transport in transports],
        "transports": transports,
        "default_transport": default_transport(providers, default),
        "sender_transport_maps": sender_transport_maps(
            f"$default_database_type:{directory}/sender_transports",
            chains,
            default_account(providers, default),
        ),
        "failover": failover_accounts(relays(providers), chains),
        "mark": inline_table(mark_rules()),
        "unmark": inline_table(unmark_rules()),
        "report_checks": inline_table(report_rules()),
        "returns": inline_table(return_rules(domain, postmaster, house["ldap"])) if postmaster else "",
        "header_checks": "".join(
            f"{rule}\n" for rule in header_rules(users, services, relays(providers), domain)
        ),
    }
