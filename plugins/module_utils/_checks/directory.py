# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a directory (LDAP) answers as a source of accounts."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.ilnmors.mail.plugins.module_utils._formats.ldap_uri import PORTS, parse_uri

TIMEOUT = 5
"""Seconds, for each step of asking the directory."""


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


def ask(directory: Directory, ldapsearch: str) -> int:
    """Bind and search as the mail host will; return how many people were seen, 0 or 1.

    ldapsearch: path of OpenLDAP's ldapsearch(1), which gets the password on its standard input.
    Raises DirectoryError.
    """
    _check_ca(directory)
    _check_connection(directory)
    done = subprocess.run(  # pylint: disable=ansible-bad-function
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
    uri = parse_uri(directory.uri)
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
