# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which accounts take the place of one that takes no mail, and how Postfix learns of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._render.providers import Provider
from ansible_collections.ilnmors.mail.plugins.module_utils._render.sender_rewriting import Rule, inline_table

INSTEAD = "$default_database_type:/var/lib/postfix-failover/instead"
"""The table that roles/postfix_relay/files/failover.py keeps: a destination, and the one that takes its place."""

Chains = Mapping[str, tuple[str, ...]]


def failover_chains(relays: Sequence[Provider], everywhere: bool) -> Chains:
    """Return the accounts that take the place of each, by name, in their order; accounts without any are left out.

    everywhere: whether the others of the same owner do where an entry does not say which. Somebody else's never do by
    themselves: they would show that person's address.
    """

    def chain(provider: Provider) -> tuple[str, ...]:
        if provider.failover is not None:
            return provider.failover
        others = (other.name for other in relays if other.owner == provider.owner and other is not provider)
        return tuple(others) if everywhere else ()

    return {provider.name: chain(provider) for provider in relays if chain(provider)}


def failover_accounts(relays: Sequence[Provider], chains: Chains) -> list[dict[str, Any]]:
    """Describe the accounts that have others in their place, or are that, for the program."""
    named = {*chains, *(name for chain in chains.values() for name in chain)}
    return [
        {
            "name": provider.name,
            "transport": provider.transport,
            "destination": provider.destination,
            "chain": chains.get(provider.name, ()),
            "over_limit": provider.over_limit,
        }
        for provider in relays
        if provider.name in named
    ]


def sender_transport_maps(table: str, chains: Chains, default: Provider | None) -> list[str]:
    """Build sender_dependent_default_transport_maps: what takes the place of an account comes before it.

    table: the lookup table of senders; default: the account of all whom it does not list. These are looked up without
    an extension alone: an address with one comes first, and may be listed without it.
    """
    if not chains:
        return [table]
    maps = [f"pipemap:{{ {table}, {INSTEAD} }}", table]
    if default and default.name in chains:
        anybody = inline_table([Rule("^[^+]+$", default.destination)])
        maps.append(f"pipemap:{{ {anybody}, {INSTEAD} }}")
    return maps
