# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How senders change when mail leaves the house, and nothing else does.

A sender is given a mark, and smtp_generic_maps (generic(5)) of a provider's transport replace what has it by the
account's address. Recipients have no mark, so they stay. Envelope senders are marked as mail enters the queue, and
lose the mark again when it is delivered in the house; From is marked on the way out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.header import Header
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils.accounts import (
    house_address,
    service_addresses,
    user_addresses,
)
from ansible_collections.ilnmors.mail.plugins.module_utils.providers import Provider

# A name that can never exist (RFC 2606 section 2). No pattern that ends in it needs an anchor: main.cf, which holds
# these tables, would read its dollar sign as the beginning of a setting's name once too often (in proxy_read_maps).
MARK = ".sender.invalid"
_MARK = re.escape(MARK)

# How an address in From ends. It has a mark already where Postfix itself wrote From, for a program that did not.
_NAMED_END = rf"(?:{_MARK})?>\s*$"
_END = rf"(?:{_MARK})?>?\s*$"

Entries = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Rule:
    """One line of a pcre_table(5): the first pattern that is found decides."""

    pattern: str
    result: str

    def __str__(self) -> str:
        """Return the line as it stands in a file; no pattern of ours contains the delimiter."""
        return f"/{self.pattern}/ {self.result}"


def marked(address: str) -> str:
    """Return an address as the envelope sender of a message in the queue."""
    return address.lower() + MARK


def pcre_text(text: str) -> str:
    """Write text into a result, where a dollar sign begins a match's number."""
    return text.replace("$", "$$")


def mark_rules() -> list[Rule]:
    """Build sender_canonical_maps: mark any address once.

    But for that of Postfix's notices to the postmaster: Postfix knows it, and ends with it what would return for ever
    (bounce(8), double_bounce_sender).
    """
    return [Rule(f"^(?!double-bounce@|.*{_MARK})(.+@.+)", f"$1{MARK}")]


def unmark_rules() -> list[Rule]:
    """Build lmtp_generic_maps: a mailbox in the house sees the sender as it was."""
    return [Rule(f"^(.+){_MARK}", "$1")]


def report_rules() -> list[Rule]:
    """Build body_checks (header_checks(5)) of Postfix's own reports, which quote the sender of a message."""
    return [Rule(f"^(.*){_MARK}(.*)", "REPLACE $1$2")]


def account_rules(provider: Provider) -> list[Rule]:
    """Build smtp_generic_maps of one account: it sends as its own addresses, and for any other as itself."""
    return [
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
    for provider in providers:
        for address in provider.addresses:
            table[marked(address)] = house_address(provider.owner, domain)
    for user in users:
        for address in user_addresses(user, domain):
            table[marked(address)] = house_address(user["name"], domain)
    return table


def return_rules(domain: str, postmaster: str, ldap: bool) -> list[Rule]:
    """Say the same of senders whom no table lists: the directory's people have inboxes, all others the postmaster's."""
    people = [Rule(rf"^([^@]+@{re.escape(domain)}){_MARK}", "$1")] if ldap else []
    return [*people, Rule(_MARK, pcre_text(house_address(postmaster, domain)))]


# Who in the house wrote it, where, and with what (RFC 5322 section 3.6.7, and what mail programs add).
_PRIVATE_HEADERS = (
    "Received",
    "Return-Path",
    "Delivered-To",
    "X-Original-To",
    "Sender",
    "X-Sender",
    "User-Agent",
    "X-Mailer",
    "X-Newsreader",
    "X-MimeOLE",
    "X-Originating-IP",
    "X-Originating-Client",
    "X-Remote-IP",
    "X-Client-IP",
    "X-Source-IP",
    "X-Forwarded-For",
    "X-Received",
    "X-Authenticated-Sender",
    "X-Authentication-Warning",
    "X-Auth-ID",
    "X-PHP-Originating-Script",
    "X-PHP-Script",
    "X-Sieve",
    "X-Sieve-Redirected-From",
)
# Where answers and receipts are sent; an address of the house is of no use to the world.
_ANSWER_HEADERS = (
    "Reply-To|Return-Receipt-To|Disposition-Notification-To|Errors-To|Resent-From|Resent-Reply-To"
)


def header_rules(users: Entries, services: Entries, providers: Sequence[Provider], domain: str) -> list[Rule]:
    """Build smtp_header_checks (header_checks(5)) of all that leaves the house.

    Removes what tells of the house, marks the addresses of From and of where answers go, and gives a From without
    a name one: the person's, the machine's, or what stood before the @. A machine's name is said in any case.
    """
    house = re.escape(domain)
    return [
        Rule(f"^({'|'.join(map(re.escape, _PRIVATE_HEADERS))}):", "IGNORE"),
        *(
            rule
            for service in services
            for address in service_addresses(service, domain)
            for rule in _machine_rules(re.escape(address), service["name"], pcre_text(address))
        ),
        *(
            _name_rule(re.escape(house_address(user["name"], domain)), str(user["display_name"]))
            for user in users
            if user.get("display_name")
        ),
        # An account's own address says enough.
        *(
            Rule(rf"^From:\s*<?({re.escape(address)}){_END}", f"REPLACE From: <$1{MARK}>")
            for provider in providers
            for address in provider.addresses
        ),
        Rule(rf"^From:\s*<?(([^\s<>@\"(),:;]+)@{house}){_END}", f'REPLACE From: "$2" <$1{MARK}>'),
        # From elsewhere: a machine of a trusted network that sends as itself, or mail that is sent on.
        Rule(rf"^From:\s*<?(([^\s<>@\"(),:;]+)@([a-z0-9.-]+?)){_END}", f'REPLACE From: "$2 ($3)" <$1{MARK}>'),
        # With a name, which stays; one that looks like an address has to be quoted.
        Rule(
            rf"^From:\s*([^<\"@]+@[^<\"]*[^<\"\s])\s*<([^<>@]+@[^<>@]+?){_NAMED_END}",
            f'REPLACE From: "$1" <$2{MARK}>',
        ),
        Rule(
            rf"^From:([^<\"]*(?:\"[^\"]*\"[^<\"]*)*)<([^<>@]+@[^<>@]+?)(?:{_MARK})?>[^<>@]*$",
            f"REPLACE From:$1<$2{MARK}>",
        ),
        Rule(
            r"^From:\s*([^\s<>@\"(),:;]+@[a-z0-9.-]+)\s*\(([^()\"\\]*)\)\s*$",
            f'REPLACE From: "$2" <$1{MARK}>',
        ),
        # Several addresses, or nothing that can be read.
        Rule("^From:", f"REPLACE From: <unknown@unknown{MARK}>"),
        Rule(rf"^({_ANSWER_HEADERS}):([^<>@]*<)([^<>@]+@{house})(>[^<>@]*)$", f"REPLACE $1:$2$3{MARK}$4"),
        Rule(rf"^({_ANSWER_HEADERS}):\s*([^\s<>@,]+@{house})\s*$", f"REPLACE $1: <$2{MARK}>"),
        Rule(rf"^(?:{_ANSWER_HEADERS}|Mail-Followup-To):.*@{house}\b", "IGNORE"),
    ]


def _machine_rules(address: str, name: str, written: str) -> list[Rule]:
    """Say in From which machine sent it; address is a pattern, written the same as text."""
    label, pattern = pcre_text(name), re.escape(name)
    sender = f"<{written}{MARK}>"
    return [
        _name_rule(address, name),
        # The name that the machine gives itself says it already.
        Rule(rf"^From:([^<]*\b{pattern}\b[^<]*)<{address}{_NAMED_END}", f"REPLACE From:$1{sender}"),
        Rule(rf"^From:\s*\"([^\"]*)\"\s*<{address}{_NAMED_END}", f'REPLACE From: "$1 ({label})" {sender}'),
        Rule(
            rf"^From:\s*([^<\"]*[^<\"\s])\s*<{address}{_NAMED_END}", f'REPLACE From: $1 "({label})" {sender}'
        ),
        Rule(rf"^From:\s*{address}\s*\(([^()\"\\]*)\)\s*$", f'REPLACE From: "$1 ({label})" {sender}'),
    ]


def _name_rule(address: str, name: str) -> Rule:
    """Give a From without a name one; address is a pattern."""
    return Rule(rf"^From:\s*<?({address}){_END}", f"REPLACE From: {pcre_text(display_name(name))} <$1{MARK}>")


def display_name(name: str) -> str:
    """Write a name before an address: quoted (RFC 5322 section 3.4), or encoded if it is not ASCII (RFC 2047)."""
    if not name.isascii():
        return Header(name, "utf-8", maxlinelen=998).encode()
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
