# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the server of a directory answers is explained."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.filter.dovecot_quoted import dovecot_quoted
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.directory import (
    Directory,
    DirectoryError,
    ask,
)

SOUND: dict[str, Any] = {
    "uri": "ldaps://ldap.home.internal",
    "base": "ou=people,dc=home,dc=internal",
    "bind_dn": "cn=mail,dc=home,dc=internal",
    "bind_password": "secret-mail",
    "starttls": False,
    "allow_cleartext": False,
    "ca": "/etc/ssl/certs/ca-certificates.crt",
    "filter": "(objectClass=inetOrgPerson)",
    "login_attribute": "uid",
    "quota_attribute": "mailQuota",
}
# --- whether it answers


@pytest.fixture
def port() -> Iterator[int]:
    """Listen on a port, where nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def directory(port: int, tmp_path: Path) -> Directory:
    ca = tmp_path / "ca.pem"
    ca.write_text("")
    ca.chmod(0o644)
    return Directory(
        uri=f"ldaps://127.0.0.1:{port}",
        base="dc=home",
        bind_dn="cn=mail",
        bind_password="secret-mail",
        starttls=False,
        ca=str(ca),
        filter="(uid=*)",
    )


@pytest.fixture
def ldapsearch(tmp_path: Path) -> Path:
    """Stand for the program: note how it was called, and answer what `answer` says."""
    program = tmp_path / "ldapsearch"
    program.write_text(
        '#!/bin/sh\ncd "${0%/*}"\nprintf "%s\\n" "$@" >arguments\nenv >environment\ncat >input\n. ./answer\n'
    )
    program.chmod(0o755)
    (tmp_path / "answer").write_text("echo dn: uid=il,dc=home; exit 4\n")
    return program


def test_the_search_is_the_one_of_the_services(
    directory: Directory, ldapsearch: Path, tmp_path: Path
) -> None:
    assert ask(directory, str(ldapsearch)) == 1
    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert arguments[-2:] == ["(uid=*)", "1.1"]
    assert {"-b", "dc=home", "-D", "cn=mail", directory.uri} <= set(arguments)
    assert "-ZZ" not in arguments
    environment = (tmp_path / "environment").read_text().splitlines()
    assert {f"LDAPTLS_CACERT={directory.ca}", "LDAPTLS_REQCERT=demand"} <= set(environment)


def test_the_password_goes_to_standard_input_alone(
    directory: Directory, ldapsearch: Path, tmp_path: Path
) -> None:
    ask(directory, str(ldapsearch))
    assert (tmp_path / "input").read_text() == "secret-mail"
    assert "secret-mail" not in (tmp_path / "arguments").read_text() + (tmp_path / "environment").read_text()
    assert "secret-mail" not in repr(directory)


def test_without_a_name_it_is_asked_anonymously(
    directory: Directory, ldapsearch: Path, tmp_path: Path
) -> None:
    ask(dataclasses.replace(directory, bind_dn="", bind_password=""), str(ldapsearch))
    assert {"-D", "-y"}.isdisjoint((tmp_path / "arguments").read_text().splitlines())


def test_starttls_is_demanded(directory: Directory, port: int, ldapsearch: Path, tmp_path: Path) -> None:
    ask(dataclasses.replace(directory, uri=f"ldap://127.0.0.1:{port}", starttls=True), str(ldapsearch))
    assert "-ZZ" in (tmp_path / "arguments").read_text().splitlines()


def test_nobody_is_no_error(directory: Directory, ldapsearch: Path, tmp_path: Path) -> None:
    (tmp_path / "answer").write_text("exit 0\n")
    assert ask(directory, str(ldapsearch)) == 0


NOT_IN_SIGHT = "is not in the directory, or mail_ldap_bind_dn may not see it"
NO_TLS = (
    "mail_ldap_uri: {uri!r} answers, but TLS with it failed ({words}); write the name that is in its certificate, "
    "and in mail_ldap_ca the authority that issued it (now {ca!r})"
)


@pytest.mark.parametrize(
    ("status", "words", "problem"),
    [
        (32, "No such object (32)", f"mail_ldap_base: 'dc=home' {NOT_IN_SIGHT} ({{words}})"),
        (
            34,
            "Invalid DN syntax (34)",
            "mail_ldap_base: 'dc=home' or mail_ldap_bind_dn is no distinguished name for the directory ({words})",
        ),
        (
            49,
            "Invalid credentials (49)",
            "mail_ldap_bind_password: the directory refuses it for mail_ldap_bind_dn 'cn=mail' ({words})",
        ),
        (
            249,
            "Bad search filter (-7)",
            "mail_ldap_filter: '(uid=*)' is not a filter that can be searched with ({words})",
        ),
        (53, "unwilling", "mail_ldap_uri: {uri!r} refuses the search ({words})"),
        (255, "Cannot contact LDAP server (-1)", NO_TLS),
        (1, "ldap_start_tls: Connect error (-11)", NO_TLS),
    ],
)
def test_each_answer_is_explained(
    directory: Directory, ldapsearch: Path, tmp_path: Path, status: int, words: str, problem: str
) -> None:
    (tmp_path / "answer").write_text(f"echo '{words}' >&2; exit {status}\n")
    with pytest.raises(DirectoryError) as error:
        ask(directory, str(ldapsearch))
    assert str(error.value) == problem.format(uri=directory.uri, ca=directory.ca, words=words)


def test_a_server_that_is_not_there_is_named(directory: Directory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(DirectoryError) as error:
        ask(dataclasses.replace(directory, uri=f"ldaps://127.0.0.1:{port}"), "/nowhere")
    assert str(error.value) == (
        f"mail_ldap_uri: 'ldaps://127.0.0.1:{port}' cannot be reached: Connection refused; "
        "start the directory, or correct the address"
    )


def test_an_authority_that_is_not_there_is_named(directory: Directory) -> None:
    with pytest.raises(DirectoryError) as error:
        ask(dataclasses.replace(directory, ca="/nowhere/ca.pem"), "/nowhere")
    assert str(error.value) == (
        "mail_ldap_ca: '/nowhere/ca.pem' is not a file on this host; "
        "put the certificate of the directory's authority there (PEM)"
    )


def test_an_authority_that_daemons_cannot_read_is_named(directory: Directory) -> None:
    Path(directory.ca).chmod(0o600)
    with pytest.raises(DirectoryError, match="cannot be read by Dovecot and Postfix; give it mode 0644"):
        ask(directory, "/nowhere")


# --- Dovecot's quotes


@pytest.mark.parametrize(
    ("text", "quoted"),
    [("plain", '"plain"'), ('a "b" \\c', '"a \\"b\\" \\\\c"'), ("#100%{x}", '"#100%{x}"'), ("", '""')],
)
def test_dovecot_quoted(text: str, quoted: str) -> None:
    assert dovecot_quoted(text) == quoted
