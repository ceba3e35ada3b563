# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A directory (LDAP) as a source of accounts: what may be said of it, and whether it answers."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import stat
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

PORTS = {"ldap": 389, "ldaps": 636}
TIMEOUT = 5
"""Seconds, for each step of asking the directory."""

# RFC 4512 section 1.4, keystring.
_ATTRIBUTE = re.compile(r"[a-z][a-z0-9-]*\Z", re.IGNORECASE)
# RFC 4514, roughly: what is one at all is the directory's to say.
_NAMES = re.compile(r"\s*[a-z][a-z0-9.-]*\s*=[^,]+(,\s*[a-z][a-z0-9.-]*\s*=[^,]+)*\Z", re.IGNORECASE)
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?\Z", re.IGNORECASE)


class DirectoryError(Exception):
    """A directory that cannot serve; the message names the site variable, what happened and what to do."""


@dataclass(frozen=True)
class Directory:
    """Where the directory is and what is asked of it, as in the site variables `mail_ldap_*`."""

    uri: str
    base: str
    bind_dn: str
    bind_password: str = field(repr=False)
    starttls: bool
    ca: str
    filter: str


# --- what is said of it


def _parse_uri(uri: object) -> SplitResult | None:
    """Return the parts of the address of one server, or None where it is no such address."""
    try:
        parts = urlsplit(str(uri))
        port = parts.port
    except ValueError:
        return None
    rest = parts.username or parts.query or parts.fragment or parts.path not in ("", "/")
    if parts.scheme not in PORTS or rest or port == 0 or not parts.hostname:
        return None
    return parts if _HOST.match(parts.hostname) or _is_ip_address(parts.hostname) else None


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_this_machine(host: str) -> bool:
    return host == "localhost" or (_is_ip_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_filter(text: str) -> bool:
    """Whether each parenthesis has its counterpart, and the first one's is the last (RFC 4515)."""
    depth = 0
    for index, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth <= 0 and index < len(text) - 1:
            return False
    return depth == 0 and text.startswith("(") and len(text) > 2


def ldap_problems(ldap: Mapping[str, Any]) -> Iterator[str]:
    """Check `mail_ldap_*`.

    ldap: uri, base, bind_dn, bind_password, starttls, allow_cleartext, ca, filter, login_attribute and, where the
    caller has it, quota_attribute. With no uri there is no directory, and nothing to check.
    """
    if not ldap["uri"]:
        return
    yield from _server_problems(ldap)
    yield from _search_problems(ldap)


def _server_problems(ldap: Mapping[str, Any]) -> Iterator[str]:
    uri = _parse_uri(ldap["uri"])
    if uri is None:
        yield (
            f"mail_ldap_uri: {ldap['uri']!r} is not the address of an LDAP server; "
            "write one such as 'ldaps://ldap.home.internal' or 'ldap://ldap.home.internal:389'"
        )
    elif uri.scheme == "ldaps" and ldap["starttls"]:
        yield "mail_ldap_starttls: is true, but mail_ldap_uri begins with ldaps://, which is TLS already; remove one"
    elif (
        uri.scheme == "ldap"
        and not (ldap["starttls"] or ldap["allow_cleartext"])
        and not _is_this_machine(str(uri.hostname))
    ):
        yield (
            f"mail_ldap_uri: {ldap['uri']!r} would send passwords over the network in the clear; write ldaps://, or "
            "set mail_ldap_starttls: true, or mail_ldap_allow_cleartext: true if you mean it"
        )
    for given, missing in (("bind_dn", "bind_password"), ("bind_password", "bind_dn")):
        if ldap[given] and not ldap[missing]:
            yield f"mail_ldap_{missing}: is empty, but mail_ldap_{given} is set; set both, or neither"
    password = ldap["bind_password"]
    if password != password.strip() or (password and not password.isprintable()):
        yield (
            "mail_ldap_bind_password: begins or ends with white space, or has a control character, which the "
            "configuration files cannot hold; choose another password"
        )
    if not ldap["ca"].startswith("/"):
        yield (
            f"mail_ldap_ca: {ldap['ca']!r} is not an absolute path on the host; "
            "write one such as '/etc/ssl/certs/ca-certificates.crt'"
        )


def _search_problems(ldap: Mapping[str, Any]) -> Iterator[str]:
    if not ldap["base"].isprintable() or not _NAMES.match(ldap["base"]):
        yield (
            f"mail_ldap_base: {ldap['base']!r} is not a distinguished name; "
            "write where the people are, such as 'ou=people,dc=home,dc=internal'"
        )
    if not ldap["bind_dn"].isprintable():
        yield (
            f"mail_ldap_bind_dn: {ldap['bind_dn']!r} has a control character; "
            "write a name such as 'cn=mail,dc=home,dc=internal'"
        )
    if not ldap["filter"].isprintable() or not _is_filter(ldap["filter"]):
        yield (
            f"mail_ldap_filter: {ldap['filter']!r} is not a filter in parentheses; "
            "write one such as '(objectClass=inetOrgPerson)'"
        )
    for key, example, may_be_empty in (
        ("login_attribute", "uid", False),
        ("quota_attribute", "mailQuota", True),
    ):
        value = ldap.get(key, example)
        if not _ATTRIBUTE.match(value) and (value or not may_be_empty):
            yield (
                f"mail_ldap_{key}: {value!r} is not the name of an attribute; "
                f"write letters, digits and '-' alone, such as {example!r}"
            )


# --- whether it answers


def ask(directory: Directory, ldapsearch: str) -> int:
    """Bind and search as the mail host will; return how many people were seen, 0 or 1.

    ldapsearch: path of OpenLDAP's ldapsearch(1), which gets the password on its standard input.
    Raises DirectoryError.
    """
    _check_ca(directory)
    _check_connection(directory)
    done = subprocess.run(
        _command(directory, ldapsearch),
        input=directory.bind_password,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        # ldap.conf(5): the environment wins over what the host's file says.
        env={**os.environ, "LC_ALL": "C", "LDAPTLS_CACERT": directory.ca, "LDAPTLS_REQCERT": "demand"},
    )
    # The size limit of one was exceeded: there are more.
    if done.returncode not in (0, 4):
        raise DirectoryError(_explain(directory, done.returncode, " ".join(done.stderr.split())))
    return done.stdout.count("dn:")


def _command(directory: Directory, ldapsearch: str) -> list[str]:
    return [
        *(ldapsearch, "-x", "-LLL", "-o", f"nettimeout={TIMEOUT}", "-l", str(2 * TIMEOUT), "-z", "1"),
        *("-H", directory.uri, "-b", directory.base, "-s", "sub"),
        *(["-ZZ"] if directory.starttls else []),
        *(["-D", directory.bind_dn, "-y", "/dev/stdin"] if directory.bind_dn else []),
        *(directory.filter, "1.1"),
    ]


def _check_ca(directory: Directory) -> None:
    path = Path(directory.ca)
    if directory.starttls or directory.uri.startswith("ldaps:"):
        if not path.is_file():
            raise DirectoryError(
                f"mail_ldap_ca: {directory.ca!r} is not a file on this host; "
                "put the certificate of the directory's authority there (PEM)"
            )
        if not path.stat().st_mode & stat.S_IROTH:
            raise DirectoryError(
                f"mail_ldap_ca: {directory.ca!r} cannot be read by Dovecot and Postfix; give it mode 0644"
            )


def _check_connection(directory: Directory) -> None:
    uri = _parse_uri(directory.uri)
    if uri is None:
        raise DirectoryError(f"mail_ldap_uri: {directory.uri!r} is not the address of an LDAP server")
    try:
        socket.create_connection((uri.hostname, uri.port or PORTS[uri.scheme]), timeout=TIMEOUT).close()
    except OSError as error:
        raise DirectoryError(
            f"mail_ldap_uri: {directory.uri!r} cannot be reached: {error.strerror or error}; "
            "start the directory, or correct the address"
        ) from error


def _explain(directory: Directory, status: int, words: str) -> str:
    """Say what an exit status of ldapsearch means: a result code of RFC 4511, or a negative one of libldap."""
    if status == 255 or "ldap_start_tls" in words:
        return (
            f"mail_ldap_uri: {directory.uri!r} answers, but TLS with it failed ({words}); write the name that is in "
            f"its certificate, and in mail_ldap_ca the authority that issued it (now {directory.ca!r})"
        )
    what = {
        32: f"mail_ldap_base: {directory.base!r} is not in the directory, or mail_ldap_bind_dn may not see it",
        34: f"mail_ldap_base: {directory.base!r} or mail_ldap_bind_dn is no distinguished name for the directory",
        49: f"mail_ldap_bind_password: the directory refuses it for mail_ldap_bind_dn {directory.bind_dn!r}",
        249: f"mail_ldap_filter: {directory.filter!r} is not a filter that can be searched with",
    }.get(status, f"mail_ldap_uri: {directory.uri!r} refuses the search")
    return f"{what} ({words})"
