"""The webmail's variables and its settings file."""

from __future__ import annotations

import hashlib
import tarfile
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
    "snappymail_attachment_size": 25,
    "snappymail_workers": 10,
    "snappymail_extra_settings": {},
    "snappymail_autoconfig_hostnames": ["autoconfig.ilnmors.internal", "autodiscover.ilnmors.internal"],
    "host": "app",
    "mail_hosts": ["mail"],
}

ONE_NAME = {"snappymail_hostname": "Mail.ilnmors.internal"}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"snappymail_domain": "Ilnmors.Internal"},
        {"snappymail_domain": "xn--bcher-kva.example"},
        {"snappymail_domain": "3com.example"},
        {"snappymail_archive_sha256": "ABCDEF0123456789" * 4},
        {**ONE_NAME, "host": "mail"},
        {**ONE_NAME, "mail_hosts": []},
        {"snappymail_attachment_size": 1, "snappymail_workers": 1},
        {"snappymail_autoconfig_hostnames": []},
        {"snappymail_autoconfig_hostnames": ["ilnmors.internal"]},
        {"snappymail_extra_settings": {"login": {"fault_delay": 10, "allow_languages_on_login": False}}},
    ],
)
def test_what_can_work_has_no_problem(change: dict[str, object]) -> None:
    assert problems({**GOOD, **change}) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"snappymail_archive_file": "files/webmail.tar.gz"},
            "snappymail_archive_file is 'files/webmail.tar.gz', which is no absolute path. The check and the copy "
            "would look for it in different folders. Write where it lies on this machine, such as "
            "{{ inventory_dir }}/webmail.tar.gz.",
        ),
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
        (
            ONE_NAME,
            "snappymail_hostname is 'mail.ilnmors.internal', which is the mail host's name, but the webmail runs "
            "on another machine (app, not mail). Write a name that leads there, such as webmail.ilnmors.internal.",
        ),
        (
            {"snappymail_autoconfig_hostnames": ["auto config"]},
            "snappymail_autoconfig_hostnames[0] is 'auto config', which is no host name. "
            "Write a full DNS name such as autoconfig.ilnmors.internal.",
        ),
        (
            {"snappymail_autoconfig_hostnames": ["Webmail.ilnmors.internal"]},
            "snappymail_autoconfig_hostnames[0] is 'Webmail.ilnmors.internal', which is taken by snappymail_hostname. "
            "Remove it, or write a name of its own.",
        ),
        (
            {"snappymail_autoconfig_hostnames": ["mail.ilnmors.internal"]},
            "snappymail_autoconfig_hostnames[0] is 'mail.ilnmors.internal', which is taken by "
            "snappymail_mail_hostname (another machine). Remove it, or write a name of its own.",
        ),
        (
            {"snappymail_autoconfig_hostnames": ["a.test", "b.test", "a.test"]},
            "snappymail_autoconfig_hostnames[2] is 'a.test', which is taken by snappymail_autoconfig_hostnames[0]. "
            "Remove it, or write a name of its own.",
        ),
        (
            {"snappymail_attachment_size": 0},
            "snappymail_attachment_size is 0. Write the largest attachment in MB, 1 or more, such as 25.",
        ),
        (
            {"snappymail_workers": -1},
            "snappymail_workers is -1. "
            "Write how many requests are worked on at the same time, 1 or more, such as 10.",
        ),
        (
            {"snappymail_extra_settings": {"login": "secret"}},
            "snappymail_extra_settings.login is no section. "
            "Write its settings below it, such as {'login': {'fault_delay': 10}}.",
        ),
        (
            {"snappymail_extra_settings": {"login": {"fault_delay": ["secret"]}}},
            "snappymail_extra_settings.login.fault_delay is neither a text nor a number or boolean. "
            "Write one of these.",
        ),
        (
            {"snappymail_extra_settings": {"login": {"fault delay": 10}}},
            "snappymail_extra_settings.login.fault delay is no name of a setting. "
            "Write letters, digits and underscores.",
        ),
        (
            {"snappymail_extra_settings": {"login": {"default_domain": "${HOME}"}}},
            "snappymail_extra_settings: login.default_domain holds '${' or a control character, "
            "which the application's settings file cannot express. Leave it out.",
        ),
        (
            {"snappymail_extra_settings": {"ssl": {"verify_certificate": False}}},
            "snappymail_extra_settings.ssl.verify_certificate is not for change: "
            "the mail host is always verified, by snappymail_tls_ca. Remove it.",
        ),
        (
            {"snappymail_extra_settings": {"security": {"force_https": False}}},
            "snappymail_extra_settings.security.force_https is not for change: "
            "passwords and sessions never cross the network in the clear. Remove it.",
        ),
        (
            {"snappymail_extra_settings": {"plugins": {"enable": False}}},
            "snappymail_extra_settings.plugins.enable is not for change: "
            "the role's own plugins keep requests and messages within their bounds. Remove it.",
        ),
        (
            {"snappymail_extra_settings": {"plugins": {"enabled_list": "house-identities,mine"}}},
            "snappymail_extra_settings.plugins.enabled_list is 'house-identities,mine'. "
            "Name the role's own plugins as well: house-identities,house-messages,house-pages,house-requests.",
        ),
        (
            {"snappymail_extra_settings": {"labs": {"use_local_proxy_for_external_images": True}}},
            "snappymail_extra_settings.labs.use_local_proxy_for_external_images is not for change: "
            "anyone could make the host fetch any address. Remove it.",
        ),
    ],
)
def test_a_problem_names_variable_value_and_remedy(change: dict[str, object], problem: str) -> None:
    assert problems({**GOOD, **change}) == [problem]


def test_every_problem_is_named_at_once() -> None:
    bad = {"snappymail_domain": "house", "snappymail_tls_key": "", "snappymail_archive_sha256": "x"}
    assert len(problems({**GOOD, **bad})) == 3


def write_release(archive: Path, *names: str) -> str:
    """Write a release archive with empty files, and return its sha256."""
    home = "snappymail/v/2.38.2"
    with tarfile.open(archive, "w:gz") as tar:
        for name in names or (
            "index.php",
            *(f"{home}/{name}" for name in ("include.php", "app/x", "static/x", "themes/x")),
        ):
            tar.addfile(tarfile.TarInfo(name))
    return hashlib.sha256(archive.read_bytes()).hexdigest()


def test_a_file_must_have_the_checksum(tmp_path: Path) -> None:
    archive = tmp_path / "webmail.tar.gz"
    sha256 = write_release(archive)
    file = {**GOOD, "snappymail_archive_file": str(archive)}
    assert problems({**file, "snappymail_archive_sha256": sha256.upper()}) == []
    assert problems(file) == [
        f"snappymail_archive_file is '{archive}': the archive's sha256 is {sha256}, "
        f"but {GOOD['snappymail_archive_sha256']} was asked for. Use the archive that belongs to the checksum, "
        "or the checksum that its publisher names."
    ]


def test_a_file_must_be_a_release(tmp_path: Path) -> None:
    archive = tmp_path / "webmail.tar.gz"
    sha256 = write_release(archive, "snappymail-2.38.2/index.php")
    file = {"snappymail_archive_file": str(archive), "snappymail_archive_sha256": sha256}
    assert problems({**GOOD, **file}) == [
        f"snappymail_archive_file is '{archive}': the archive is no webmail release: it must hold index.php and "
        "exactly one snappymail/v/VERSION/ or tachyon/v/VERSION/ with include.php, app, static and themes. "
        "Use a release archive, not the source."
    ]


def test_a_file_needs_no_url(tmp_path: Path) -> None:
    archive = tmp_path / "webmail.tar.gz"
    sha256 = write_release(archive)
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
