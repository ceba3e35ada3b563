# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files on a host that options name are refused for what they are, and what is in them is never said."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._preflight.files import (
    PACKAGED_CA,
    authority_file_problems,
    certificate_problems,
    password_file_problems,
)
from ansible_collections.ilnmors.mail.tests.unit.fakes.authority import Authority


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "gmail"
    path.write_text("secret-password\n")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_of_its_owner_alone_is_taken(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert list(password_file_problems({"gmail": str(file)})) == []


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620, 0o601])
def test_a_file_of_others_as_well_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert list(password_file_problems({"gmail": str(file)})) == [
        f"gmail: {file} has mode {mode:04o}, so that others can read it; run 'chmod 600 {file}'"
    ]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "is empty; write the password into it"),
        ("\n", "is empty; write the password into it"),
        ("secret-1\nsecret-2\n", "has more than one line; write the password into it, and nothing else"),
    ],
)
def test_a_file_holds_a_password_alone(file: Path, content: str, fault: str) -> None:
    file.write_text(content)
    assert list(password_file_problems({"gmail": str(file)})) == [f"gmail: {file} {fault}"]


def test_each_account_is_named(file: Path) -> None:
    missing = file.with_name("missing")
    assert list(
        password_file_problems({"gmail": str(file), "naver": str(missing), "club": str(file.parent)})
    ) == [
        f"naver: {missing} is not there; put it on the host",
        f"club: {file.parent} is not a file; write the path of the one that holds the password",
    ]


def test_authorities_are_certificates(file: Path, authority: Authority) -> None:
    missing = file.with_name("missing")
    remedy = "or leave it out for those of Debian"
    assert list(authority_file_problems({"a": PACKAGED_CA, "b": str(authority.file)})) == []
    assert list(authority_file_problems({"mail_ldap_ca": str(missing), "b": str(file)})) == [
        f"mail_ldap_ca: {missing} is not there; put it on the host, {remedy}",
        f"b: {file} holds no certificate in PEM form; write the path of a file that does, {remedy}",
    ]


@pytest.fixture
def chain(authority: Authority, good: ssl.SSLContext, tmp_path: Path) -> tuple[Path, Path]:
    """Return a certificate and its key, in files of their own."""
    assert good
    both = authority.file.with_name("house-ca-good.pem").read_text()
    key, __, certificate = both.partition("-----BEGIN CERTIFICATE-----")
    files = tmp_path / "mine.pem", tmp_path / "mine.key"
    files[0].write_text(f"-----BEGIN CERTIFICATE-----{certificate}")
    files[1].write_text(key)
    return files


def test_a_certificate_comes_with_its_key(chain: tuple[Path, Path], authority: Authority) -> None:
    certificate, key = chain
    assert list(certificate_problems(certificate, key)) == []
    assert list(certificate_problems(authority.file, key)) == [
        f"mail_tls_key: {key} does not belong to {authority.file}; name the key that the certificate was made for, "
        "and put the host's own certificate first in the chain"
    ]


@pytest.mark.parametrize(
    ("certificate", "key", "problems"),
    [
        (None, "{key}", ["mail_tls_certificate: {0} is not there; put it on the host"]),
        ("{certificate}", None, ["mail_tls_key: {1} is not there; put it on the host"]),
        (
            None,
            None,
            [
                "mail_tls_certificate: {0} is not there; put it on the host",
                "mail_tls_key: {1} is not there; put it on the host",
            ],
        ),
        (
            "nothing",
            "{key}",
            [
                "mail_tls_certificate: {0} holds no certificate in PEM form; write the path of a file that does",
            ],
        ),
        *(
            (
                "{certificate}",
                content,
                [
                    "mail_tls_key: {1} is not a private key that can be used; "
                    "write it in PEM form and without a passphrase"
                ],
            )
            for content in (
                "secret",
                # RFC 1421, section 4.6.1.3: OpenSSL would ask for the passphrase.
                "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
                + "00" * 16
                + "\n\nc2VjcmV0\n-----END RSA PRIVATE KEY-----\n",
            )
        ),
    ],
    ids=["no-certificate", "no-key", "neither", "no-pem", "no-key-in-it", "passphrase"],
)
def test_a_certificate_that_cannot_serve_is_refused(
    chain: tuple[Path, Path], certificate: str | None, key: str | None, problems: list[str]
) -> None:
    content = {"certificate": chain[0].read_text(), "key": chain[1].read_text()}
    for path, given in zip(chain, (certificate, key), strict=True):
        path.unlink()
        if given is not None:
            path.write_text(given.format(**content))
    found = list(certificate_problems(*chain))
    assert found == [problem.format(*chain) for problem in problems]
    assert "secret" not in "".join(found)
