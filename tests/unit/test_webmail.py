"""The webmail's variables and its settings file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.ilnmors.mail.plugins.filter.webmail_problems import FilterModule
from ansible_collections.ilnmors.mail.plugins.filter.webmail_settings_file import webmail_settings_file
from ansible_collections.ilnmors.mail.plugins.module_utils.webmail import problems

GOOD = {
    "snappymail_domain": "ilnmors.internal",
    "snappymail_hostname": "webmail.ilnmors.internal",
    "snappymail_mail_hostname": "mail.ilnmors.internal",
    "snappymail_tls_certificate": "/etc/ssl/host.pem",
    "snappymail_tls_key": "/etc/ssl/host.key",
    "snappymail_archive_url": "https://example.org/webmail.tar.gz",
    "snappymail_archive_sha256": "0123456789abcdef" * 4,
    "snappymail_archive_file": "",
}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"snappymail_domain": "Ilnmors.Internal"},
        {"snappymail_domain": "xn--bcher-kva.example"},
        {"snappymail_domain": "3com.example"},
        {"snappymail_archive_sha256": "ABCDEF0123456789" * 4},
    ],
)
def test_what_can_work_has_no_problem(change: dict[str, str]) -> None:
    assert problems({**GOOD, **change}) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"snappymail_domain": "house"},
            "snappymail_domain is 'house', which is no domain. "
            "Write a full DNS name such as ilnmors.internal.",
        ),
        (
            {"snappymail_domain": "il@ilnmors.internal"},
            "snappymail_domain is 'il@ilnmors.internal', which is no domain. "
            "Write a full DNS name such as ilnmors.internal.",
        ),
        (
            {"snappymail_hostname": "web_mail.ilnmors.internal"},
            "snappymail_hostname is 'web_mail.ilnmors.internal', which is no host name. "
            "Write a full DNS name such as webmail.ilnmors.internal.",
        ),
        (
            {"snappymail_mail_hostname": "192.168.1.25"},
            "snappymail_mail_hostname is '192.168.1.25', which is no host name. "
            "Write a full DNS name such as mail.ilnmors.internal.",
        ),
        (
            {"snappymail_mail_hostname": "mail.ilnmors.internal\n"},
            "snappymail_mail_hostname is 'mail.ilnmors.internal\n', which is no host name. "
            "Write a full DNS name such as mail.ilnmors.internal.",
        ),
        (
            {"snappymail_tls_key": ""},
            "snappymail_tls_certificate is '/etc/ssl/host.pem', but it has no key. "
            "Set mail_tls_key (or snappymail_tls_key) to the path of its private key on the host.",
        ),
        (
            {"snappymail_tls_certificate": ""},
            "snappymail_tls_key is '/etc/ssl/host.key', but it has no certificate. Set mail_tls_certificate "
            "(or snappymail_tls_certificate) to the path of its certificate on the host.",
        ),
        (
            {"snappymail_archive_sha256": "71f1d8a9"},
            "snappymail_archive_sha256 is '71f1d8a9', which is no SHA-256 checksum. "
            "Write the 64 hexadecimal digits that the archive's publisher names.",
        ),
        (
            {"snappymail_archive_url": "http://example.org/webmail.tar.gz"},
            "snappymail_archive_url is 'http://example.org/webmail.tar.gz'. "
            "Write an https:// URL, or set snappymail_archive_file.",
        ),
        (
            {"snappymail_archive_file": "/nowhere/webmail.tar.gz"},
            "snappymail_archive_file is '/nowhere/webmail.tar.gz', but there is no such file on this machine. "
            "Download the archive there, or leave the variable out to use snappymail_archive_url.",
        ),
    ],
)
def test_a_problem_names_variable_value_and_remedy(change: dict[str, str], problem: str) -> None:
    assert problems({**GOOD, **change}) == [problem]


def test_every_problem_is_named_at_once() -> None:
    bad = {"snappymail_domain": "house", "snappymail_tls_key": "", "snappymail_archive_sha256": "x"}
    assert len(problems({**GOOD, **bad})) == 3


def test_a_file_must_have_the_checksum(tmp_path: Path) -> None:
    archive = tmp_path / "webmail.tar.gz"
    archive.write_bytes(b"an archive")
    sha256 = hashlib.sha256(b"an archive").hexdigest()
    file = {**GOOD, "snappymail_archive_file": str(archive)}
    assert problems({**file, "snappymail_archive_sha256": sha256.upper()}) == []
    assert problems(file) == [
        f"snappymail_archive_file is '{archive}', whose sha256 is {sha256}, "
        f"but snappymail_archive_sha256 is {GOOD['snappymail_archive_sha256']}. Use the archive that belongs "
        "to the checksum, or set the checksum that its publisher names."
    ]


def test_a_file_needs_no_url(tmp_path: Path) -> None:
    archive = tmp_path / "webmail.tar.gz"
    archive.touch()
    sha256 = hashlib.sha256().hexdigest()
    local = {"snappymail_archive_file": str(archive), "snappymail_archive_sha256": sha256}
    assert problems({**GOOD, **local, "snappymail_archive_url": ""}) == []


def test_the_filter_gives_the_problems() -> None:
    assert FilterModule().filters()["webmail_problems"] is problems


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (True, "On"),
        (False, "Off"),
        (25, "25"),
        (1.5, "1.5"),
        ("", '""'),
        ("/etc/ssl/ca.pem", '"/etc/ssl/ca.pem"'),
        ('a "quoted" one', '"a \\"quoted\\" one"'),
        ("back\\slash", '"back\\\\slash"'),
        ("$2y$10$hash", '"$2y$10$hash"'),
    ],
)
def test_settings_are_written_as_php_reads_them(value: bool | int | float | str, written: str) -> None:
    text = webmail_settings_file({"login": {"key": value}})
    assert text.splitlines()[1:] == ["", "[login]", f"key = {written}"]


@pytest.mark.parametrize("value", ["${HOME}", "two\nlines", "a\0zero"])
def test_settings_that_php_would_change_are_refused(value: str) -> None:
    with pytest.raises(AnsibleFilterError) as refusal:
        webmail_settings_file({"login": {"default_domain": value}})
    assert str(refusal.value) == (
        "snappymail_extra_settings: login.default_domain holds '${' or a control character, "
        "which the application's settings file cannot express. Leave it out."
    )
