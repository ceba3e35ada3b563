# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What becomes of a message's header when it leaves the house.

What tells of the house goes. Its addresses in From, and in the fields that say where answers go, are marked as senders
(sender_rewriting.py); whatever else these fields hold stays, however it is written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.header import Header

from ansible_collections.ilnmors.mail.plugins.module_utils._formats.sender_marks import MARK
from ansible_collections.ilnmors.mail.plugins.module_utils._render.accounts import (
    house_address,
    service_addresses,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._render.providers import Provider
from ansible_collections.ilnmors.mail.plugins.module_utils._render.sender_rewriting import (
    Entries,
    Rule,
    pcre_text,
)

_MARK = re.escape(MARK)

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
_ANSWER_HEADERS = "|".join(
    (
        "Reply-To",
        "Return-Receipt-To",
        "Disposition-Notification-To",
        "Errors-To",
        "Resent-From",
        "Resent-Reply-To",
        "Mail-Followup-To",
    )
)
# So many addresses of the house in one such field are replaced. A field with more stays, with whoever else is in it.
_MOST_ADDRESSES = 20

# Parts of a header field (RFC 5322 section 3.2), each of which matches in one way alone, so that no field takes long.
_QUOTED = r"\"(?:[^\"\\]++|\\.)*+\""


def _comment(depth: int) -> str:
    inner = f"|{_comment(depth - 1)}" if depth else ""
    return rf"\((?:[^()\\]++|\\.{inner})*+\)"


_COMMENT = _comment(3)
# A name before an address. Scripts write any character into it, without the quotes that it would need.
_NAME = rf"(?:[^\"()<>@\\]++|{_QUOTED}|{_COMMENT})*+"
_COMMENTS = rf"(?:\s++|{_COMMENT})*+"
# It has a mark already where Postfix itself wrote From, for a program that did not.
_MARKED = f"(?:{_MARK})?"
_ANY_ADDRESS = r"([^\s<>@\"(),:;]+@[^\s<>@\"(),:;]+?)"


def _alone(address: str) -> str:
    """Return the pattern of a From that is no more than an address."""
    return rf"^From:\s*+(?:\"\"\s*+)?+<?+\s*+{address}{_MARKED}\s*+>?+\s*+$"


def _in_brackets(address: str) -> str:
    """Return the pattern of an address after a name, to the end of From; comments may follow, the last group."""
    return rf"<\s*+{address}{_MARKED}\s*+>({_COMMENTS})$"


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
            Rule(_alone(f"({re.escape(address)})"), f"REPLACE From: <$1{MARK}>")
            for provider in providers
            for address in provider.addresses
        ),
        Rule(_alone(rf"(([^\s<>@\"(),:;]++)@{house})"), f'REPLACE From: "$2" <$1{MARK}>'),
        # From elsewhere: a machine of a trusted network that sends as itself, or mail that is sent on.
        Rule(_alone(r"(([^\s<>@\"(),:;]++)@([a-z0-9.-]+?))"), f'REPLACE From: "$2 ($3)" <$1{MARK}>'),
        *_author_rules(_ANY_ADDRESS, f"<$2{MARK}>"),
        Rule("^From:", f"REPLACE From: <unknown@unknown{MARK}>"),
        *_answer_rules(house),
    ]


def _author_rules(address: str, sender: str, machine: str = "") -> list[Rule]:
    """Keep the name in From, whatever its form.

    address: a pattern with one group, which is the second of each rule; sender: how it is written.
    machine: a name that is said as well.
    """
    within, beside, alone = (f" ({machine})", f'"({machine})" ', f'"{machine}" ') if machine else ("", "", "")
    # What can stand in quotes as it is, and what has to: a name that looks like an address, or has what would mean
    # something else.
    plain = r"[^\"()<>@\\]*[^\"()<>@\\\s]"
    odd = rf"[^<\"()@\\]+@[^<\"()\\]*[^<\"()\\\s]|(?=[^<]*[][.,:;])(?![^<]*=\?){plain}"
    bare = rf"^From:\s*+()<?+\s*+{address}{_MARKED}\s*+>?+"
    return [
        Rule(rf"^From:\s*+({odd})\s*+{_in_brackets(address)}", f'REPLACE From: "$1{within}" {sender}$3'),
        Rule(
            rf"^From:\s*+\"((?:[^\"\\]++|\\.)++)\"\s*+{_in_brackets(address)}",
            f'REPLACE From: "$1{within}" {sender}$3',
        ),
        Rule(rf"{bare}\s*+\(([^\"()\\]*+)\)\s*+$", f'REPLACE From: "$3{within}" {sender}'),
        Rule(rf"{bare}({_COMMENTS})$", f"REPLACE From: {alone}{sender}$3"),
        Rule(rf"^From:\s*+({_NAME}){_in_brackets(address)}", f"REPLACE From: $1{beside}{sender}$3"),
        # Of several, the first.
        Rule(
            rf"^From:\s*+({_NAME})<\s*+{address}{_MARKED}\s*+>{_COMMENTS},",
            f"REPLACE From: $1{beside}{sender}",
        ),
        # A quote or a parenthesis without its pair: what stands before it.
        Rule(
            rf"^From:[\s\"(\\]*+({plain})\s*+(?=[\"()<>@\\]).*<\s*+{address}{_MARKED}\s*+>[^<>@]*$",
            f'REPLACE From: "$1{within}" {sender}',
        ),
        Rule(rf"^From:(.*)<\s*+{address}{_MARKED}\s*+>[^<>@]*$", f"REPLACE From: {alone}{sender}"),
    ]


def _machine_rules(address: str, name: str, written: str) -> list[Rule]:
    """Say in From which machine sent it; address is a pattern, written the same as text."""
    sender = f"<{written}{MARK}>"
    return [
        _name_rule(address, name),
        # The name that the machine gives itself says it already.
        Rule(
            rf"^From:\s*+(?=[^<]*\b{re.escape(name)}\b)({_NAME}){_in_brackets(f'({address})')}",
            f"REPLACE From: $1{sender}$3",
        ),
        *_author_rules(f"({address})", sender, pcre_text(name)),
    ]


def _answer_rules(house: str) -> list[Rule]:
    """Mark each address of the house in a field, and nothing else; house is a pattern.

    What stands in quotes or comments is no address. One rule for each number of addresses, the most common first.
    """
    other = rf"(?:[^\"(@]++|{_QUOTED}|{_COMMENT}|@(?!{house}(?![\w.-])))*+"
    return [
        Rule(
            f"^({_ANSWER_HEADERS}):" + f"({other}@{house})" * count + f"({other})$",
            "REPLACE $1:" + "".join(f"${{{2 + at}}}{MARK}" for at in range(count)) + f"${{{2 + count}}}",
        )
        for count in range(1, _MOST_ADDRESSES + 1)
    ] + [
        # What cannot be read has nobody else's address to lose.
        Rule(rf"^(?:{_ANSWER_HEADERS}):(?=.*@{house}(?![\w.-]))(?!.*@(?!{house}(?![\w.-])))", "IGNORE")
    ]


def _name_rule(address: str, name: str) -> Rule:
    """Give a From without a name one; address is a pattern."""
    return Rule(_alone(f"({address})"), f"REPLACE From: {pcre_text(display_name(name))} <$1{MARK}>")


def display_name(name: str) -> str:
    """Write a name before an address: quoted (RFC 5322 section 3.4), or encoded if it is not ASCII (RFC 2047)."""
    if not name.isascii():
        return Header(name, "utf-8", maxlinelen=998).encode()
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
