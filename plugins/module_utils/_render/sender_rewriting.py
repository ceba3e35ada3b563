# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How senders change when mail leaves the house, and nothing else does.

A sender is given a mark, and smtp_generic_maps (generic(5)) of a provider's transport replace what has it by the
account's address. Recipients have no mark, so they stay. Envelope senders are marked as mail enters the queue, and
lose the mark again when it is delivered in the house; From is marked on the way out (header_rewriting.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._formats.sender_marks import MARK, NULL_MARK
from ansible_collections.ilnmors.mail.plugins.module_utils._render.accounts import (
    house_address,
    service_addresses,
    user_addresses,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._render.providers import Provider

_MARK = re.escape(MARK)
_NULL_MARK = re.escape(NULL_MARK)
_ANY_MARK = rf"(?:\.null)?{_MARK}"

Entries = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Rule:
    """One line of a pcre_table(5): the first pattern that is found decides."""

    pattern: str
    result: str

    def __str__(self) -> str:
        """Return the line as it stands in a file; no pattern of ours contains the delimiter."""
        return f"/{self.pattern}/ {self.result}"


# What Postfix reads as no address at all.
_NO_SENDER = Rule(_NULL_MARK, "<>")


def marked(address: str) -> str:
    """Return an address as the envelope sender of a message in the queue."""
    return address.lower() + MARK


def null_marked(login: str) -> str:
    """Return the sender of what a login sends without one, as it is in the queue; login: an address of the house."""
    return login.lower() + NULL_MARK


def pcre_text(text: str) -> str:
    """Write text into a result, where a dollar sign begins a match's number."""
    return text.replace("$", "$$")


def inline_table(rules: Sequence[Rule]) -> str:
    """Write a pcre table as a value of main.cf or master.cf, where a dollar sign begins a setting's name."""
    return "pcre:{ " + ", ".join(f"{{ {rule} }}".replace("$", "$$") for rule in rules) + " }"


def mark_rules() -> list[Rule]:
    """Build sender_canonical_maps: mark any address once.

    The sender of Postfix's notices to the postmaster gets none: Postfix knows it, and ends with it what would return
    for ever (bounce(8), double_bounce_sender).
    """
    return [Rule(f"^(?!double-bounce@|.*{_MARK})(.+@.+)", f"$1{MARK}")]


def unmark_rules() -> list[Rule]:
    """Build lmtp_generic_maps: a mailbox in the house sees the sender as it was."""
    return [_NO_SENDER, Rule(f"^(.+){_MARK}", "$1")]


def report_rules() -> list[Rule]:
    """Build body_checks (header_checks(5)) of Postfix's own reports, which quote the sender of a message."""
    return [Rule(f"^(.*?){_ANY_MARK}(.*)", "REPLACE $1$2")]


def account_rules(provider: Provider) -> list[Rule]:
    """Build smtp_generic_maps of one account: it sends as its own addresses, and for any other as itself."""
    return [
        _NO_SENDER,
        *(Rule(f"^{re.escape(address)}{_MARK}", pcre_text(address)) for address in provider.addresses[1:]),
        Rule(_MARK, pcre_text(provider.address)),
    ]


def return_addresses(
    users: Entries, services: Entries, providers: Sequence[Provider], domain: str, postmaster: str
) -> dict[str, str]:
    """Say where what cannot be delivered goes (a part of virtual_alias_maps): a marked sender's inbox in the house.

    A machine has none: its postmaster's.
    """
    table: dict[str, str] = {}
    for service in services:
        for address in service_addresses(service, domain):
            table[marked(address)] = house_address(postmaster, domain)
        table[null_marked(house_address(service["name"], domain))] = house_address(postmaster, domain)
    for provider in providers:
        for address in provider.addresses:
            table[marked(address)] = house_address(provider.owner, domain)
    for user in users:
        for address in user_addresses(user, domain):
            table[marked(address)] = house_address(user["name"], domain)
        table[null_marked(house_address(user["name"], domain))] = house_address(user["name"], domain)
    return table


def return_rules(domain: str, postmaster: str, ldap: bool) -> list[Rule]:
    """Say the same of senders whom no table lists: the directory's people have inboxes, all others the postmaster's."""
    people = [Rule(rf"^([^@]+@{re.escape(domain)}){_ANY_MARK}", "$1")] if ldap else []
    return [*people, Rule(_MARK, pcre_text(house_address(postmaster, domain)))]
