# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of a directory (LDAP) as a source of accounts, and their checks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.ilnmors.mail.plugins.module_utils._formats.ldap_uri import is_this_machine, parse_uri
from ansible_collections.ilnmors.mail.plugins.module_utils._site import types
from ansible_collections.ilnmors.mail.plugins.module_utils._site.options import Options
from ansible_collections.ilnmors.mail.plugins.module_utils._site.readers import Flag, Text
from ansible_collections.ilnmors.mail.plugins.module_utils._site.records import key

# RFC 4512 section 1.4, keystring.
_ATTRIBUTE = re.compile(r"[a-z][a-z0-9-]*\Z", re.IGNORECASE)
# RFC 4514, roughly: what is one at all is the directory's to say.
_NAMES = re.compile(r"\s*[a-z][a-z0-9.-]*\s*=[^,]+(,\s*[a-z][a-z0-9.-]*\s*=[^,]+)*\Z", re.IGNORECASE)


def _is_filter(text: str) -> bool:
    """Whether each parenthesis has its counterpart, and the first one's is the last (RFC 4515)."""
    depth = 0
    for index, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth <= 0 and index < len(text) - 1:
            return False
    return depth == 0 and text.startswith("(") and len(text) > 2


_URI = Text(
    "the address of an LDAP server",
    "ldaps://ldap.home.internal",
    lambda text: parse_uri(text) is not None,
    1_000,
    empty=True,
)
_BASE = Text(
    "a distinguished name",
    "ou=people,dc=home,dc=internal",
    lambda text: bool(_NAMES.match(text)),
    1_000,
    empty=True,
)
_BIND_DN = Text("a distinguished name", "cn=mail,dc=home,dc=internal", longest=1_000, empty=True)
_FILTER = Text("a filter in parentheses", "(objectClass=inetOrgPerson)", _is_filter, 2_000)


def _attribute(example: str, empty: bool = False) -> Text:
    return Text(
        "the name of an attribute, of letters, digits and '-'",
        example,
        lambda text: bool(_ATTRIBUTE.match(text)),
        100,
        empty=empty,
    )


@dataclass(frozen=True)
class DirectoryOptions(Options):
    """Where the directory is and what is asked of it. With no ldap_uri there is none."""

    ldap_uri: str = key(_URI, "", site="mail_ldap_uri")
    ldap_base: str = key(_BASE, "", site="mail_ldap_base")
    ldap_bind_dn: str = key(_BIND_DN, "", site="mail_ldap_bind_dn")
    ldap_bind_password: str = key(types.PASSWORD, "", site="mail_ldap_bind_password")
    ldap_starttls: bool = key(Flag(), site="mail_ldap_starttls")
    ldap_allow_cleartext: bool = key(Flag(), site="mail_ldap_allow_cleartext")
    ldap_ca: str = key(types.AUTHORITY_FILE, site="mail_ldap_ca")
    ldap_filter: str = key(_FILTER, site="mail_ldap_filter")
    ldap_login_attribute: str = key(_attribute("uid"), site="mail_ldap_login_attribute")
    ldap_quota_attribute: str = key(_attribute("mailQuota", empty=True), "", site="mail_ldap_quota_attribute")

    def ldap_problems(self) -> Iterator[str]:
        """Check that passwords are safe on their way, and that nothing is missing."""
        if not self.ldap_uri:
            return
        yield from self._transport_problems()
        for given, missing in (("bind_dn", "bind_password"), ("bind_password", "bind_dn")):
            if getattr(self, f"ldap_{given}") and not getattr(self, f"ldap_{missing}"):
                names = self.name(f"ldap_{missing}"), self.name(f"ldap_{given}")
                yield f"{names[0]}: is empty, but {names[1]} is set; set both, or neither"
        if not self.ldap_base:
            yield (
                f"{self.name('ldap_base')}: is empty; "
                "write where the people are, such as 'ou=people,dc=home,dc=internal'"
            )

    def _transport_problems(self) -> Iterator[str]:
        uri = parse_uri(self.ldap_uri)
        name, starttls = self.name("ldap_uri"), self.name("ldap_starttls")
        if uri and uri.scheme == "ldaps" and self.ldap_starttls:
            yield f"{starttls}: is true, but {name} begins with ldaps://, which is TLS already; remove one"
        elif (
            uri
            and uri.scheme == "ldap"
            and not (self.ldap_starttls or self.ldap_allow_cleartext)
            and not is_this_machine(str(uri.hostname))
        ):
            yield (
                f"{name}: {self.ldap_uri!r} would send passwords over the network in the clear; write ldaps://, or set "
                f"{starttls}: true, or {self.name('ldap_allow_cleartext')}: true if you mean it"
            )
