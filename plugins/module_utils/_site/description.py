# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The description of a site: every variable that the collection knows, and how the options of a role are read.

Each role hands over its options (the action role_options), and gets them back with one type each, or learns what is
wrong.
Nothing reads them a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._site.options import Context, Options, read_options
from ansible_collections.ilnmors.mail.plugins.module_utils._site.problems import nearest
from ansible_collections.ilnmors.mail.plugins.module_utils._site.records import keys
from ansible_collections.ilnmors.mail.plugins.module_utils._site.roles.dovecot_imap import DovecotImap
from ansible_collections.ilnmors.mail.plugins.module_utils._site.roles.mail_backup import MailBackup
from ansible_collections.ilnmors.mail.plugins.module_utils._site.roles.mail_monitoring import MailMonitoring
from ansible_collections.ilnmors.mail.plugins.module_utils._site.roles.mail_oauth2 import MailOauth2
from ansible_collections.ilnmors.mail.plugins.module_utils._site.roles.mail_tls import MailTls
from ansible_collections.ilnmors.mail.plugins.module_utils._site.roles.mbsync_fetch import MbsyncFetch
from ansible_collections.ilnmors.mail.plugins.module_utils._site.roles.postfix_relay import PostfixRelay
from ansible_collections.ilnmors.mail.plugins.module_utils._site.roles.roundcube import Roundcube
from ansible_collections.ilnmors.mail.plugins.module_utils._site.roles.snappymail import Snappymail
from ansible_collections.ilnmors.mail.plugins.module_utils._site.roles.webmail_host import WebmailHost

ROLES: dict[str, type[Options]] = {
    record.role: record
    for record in (
        MailTls,
        MailOauth2,
        PostfixRelay,
        DovecotImap,
        MbsyncFetch,
        WebmailHost,
        Snappymail,
        Roundcube,
        MailBackup,
        MailMonitoring,
    )
}
SITE: dict[str, list[str]] = {}
"""The site variables, each with the options that have their default from it."""
for _role, _record in ROLES.items():
    for _key in keys(_record):
        if _key.site:
            SITE.setdefault(_key.site, []).append(f"{_role}_{_key.name}")
KNOWN = frozenset(
    (*SITE, *(f"{role}_{known.name}" for role, record in ROLES.items() for known in keys(record)))
)
"""Every variable."""

# What was an option of snappymail before 1.0.0, by its name now; and what reads like a switch, by what turns it on.
_MOVED = {f"snappymail_{known.name}": f"webmail_host_{known.name}" for known in keys(WebmailHost)}
_MOVED["mail_monitoring"] = "mail_monitoring_address"

# What the roles of a mail host have to agree on: mail would be lost between them.
_SHARED = frozenset(
    (
        *("domain", "hostname", "users", "services", "quota", "mail_directory", "vmail_user"),
        *(known.name for known in keys(DovecotImap) if known.name.startswith("ldap_")),
    )
)
_SHARING = ("postfix_relay", "dovecot_imap", "mbsync_fetch")


@dataclass(frozen=True)
class Variables:
    """The variables of a host.

    names: all that there are. fill: returns one filled in, or raises Unfilled. follows: whether an option is what a
    site variable says, as its default has it.
    """

    names: frozenset[str]
    fill: Callable[[str], Any]
    follows: Callable[[str, str], bool]


class Unfilled(Exception):
    """Why the template of a variable could not be filled in."""


@dataclass(frozen=True)
class Reading:
    """What was read of a role's options. warnings: what may be wrong and need not be."""

    options: Options
    problems: list[str]
    warnings: list[str]


def read_role(role: str, variables: Variables, context: Context) -> Reading:
    """Read the options of a role from the variables of a host."""
    record = ROLES[role]
    values: dict[str, object] = {}
    names: dict[str, str] = {}
    unfilled: list[str] = []
    for known in keys(record):
        option = f"{role}_{known.name}"
        names[known.name] = known.site if known.site and variables.follows(option, known.site) else option
        try:
            values[known.name] = variables.fill(option)
        except Unfilled as error:
            unfilled.append(f"{names[known.name]}: cannot be filled in; {error}")
    options, problems = read_options(record, values, names, context)
    misspelt, warnings = _unknown(role, variables)
    problems = [*unfilled, *misspelt, *problems, *_disagreements(role, values, variables)]
    return Reading(options, list(dict.fromkeys(problems)), warnings)


def _unknown(role: str, variables: Variables) -> tuple[list[str], list[str]]:
    """Return problems and warnings of variables that begin as the collection's do, and are none."""
    prefixes = (f"{role}_", "mail_tls_", "mail_oauth2_", "mail_backup_", "mail_monitoring")
    problems, warnings = [], []
    for name in sorted(variables.names - KNOWN):
        if name.startswith(prefixes):
            meant = _MOVED.get(name) or nearest(name, KNOWN, 0.6)
            problems.append(
                f"{name}: is no variable that is known; write {meant}"
                if meant
                else f"{name}: is no variable that is known; remove it"
            )
        elif name.startswith("mail_"):
            if meant := nearest(name, SITE, 0.8):
                problems.append(
                    f"{name}: is no variable that is known; write {meant}, or give yours another name"
                )
            else:
                warnings.append(
                    f"{name} is no variable of ilnmors.mail, whose variables begin with mail_ as well"
                )
    return problems, warnings


def _disagreements(role: str, values: Mapping[str, object], variables: Variables) -> Iterator[str]:
    """Check what the roles of a mail host share, where the other roles' options can be seen."""
    if role not in _SHARING:
        return
    for known in keys(ROLES[role]):
        for other in _SHARING:
            theirs = f"{other}_{known.name}"
            if other == role or known.name not in _SHARED & values.keys() or theirs not in variables.names:
                continue
            try:
                agreed = variables.fill(theirs) == values[known.name]
            except Unfilled:
                continue
            if not agreed:
                yield (
                    f"{role}_{known.name}: is not what {theirs} is, and the two have to agree; "
                    f"set {known.site} instead of them"
                )
