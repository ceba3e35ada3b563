# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A certificate that cannot serve is refused with sentences that name variable, path and remedy."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._site.certificate import (
    certificate_problems,
    covers,
)

CERTIFICATE: dict[str, Any] = {
    "path": "/etc/mine.pem",
    "public_key": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    "not_before": "20260101000000Z",
    "not_after": "20260331120000Z",
    "valid_at": {"now": True},
    "subject_alt_name": ["DNS:mail.home.internal", "DNS:*.home.internal", "IP:10.0.0.1"],
}
KEY: dict[str, Any] = {
    "path": "/etc/mine.key",
    "can_load_key": True,
    "can_parse_key": True,
    "public_key": CERTIFICATE["public_key"],
}
NAMES = ["mail.home.internal", "webmail.home.internal"]


def test_a_sound_certificate_has_no_problems() -> None:
    assert certificate_problems(CERTIFICATE, KEY, NAMES) == []


@pytest.mark.parametrize(
    ("certificate", "key", "expected"),
    [
        (
            {"path": "/etc/mine.pem", "failed": False, "msg": "No such file or directory: '/etc/mine.pem'"},
            KEY,
            [
                "mail_tls_certificate: '/etc/mine.pem' on this host cannot be read "
                "(No such file or directory: '/etc/mine.pem'); "
                "put the certificate there (PEM, then its intermediates), or correct the path"
            ],
        ),
        (
            CERTIFICATE,
            {"path": "/etc/mine.key", "can_load_key": False, "msg": "No such file or directory"},
            [
                "mail_tls_key: '/etc/mine.key' on this host cannot be read (No such file or directory); "
                "put the certificate's key there, or correct the path"
            ],
        ),
        (
            CERTIFICATE,
            {"path": "/etc/mine.key", "can_load_key": True, "can_parse_key": False, "msg": "secret words"},
            [
                "mail_tls_key: '/etc/mine.key' on this host is not a private key that can be used; "
                "write it in PEM form and without a passphrase"
            ],
        ),
        (
            CERTIFICATE,
            {**KEY, "public_key": "-----BEGIN PUBLIC KEY-----\nBBBB\n-----END PUBLIC KEY-----\n"},
            [
                "mail_tls_key: '/etc/mine.key' on this host does not belong to '/etc/mine.pem'; "
                "name the key that the certificate was made for, "
                "and put the host's own certificate first in the chain"
            ],
        ),
        (
            {**CERTIFICATE, "valid_at": {"now": False}},
            KEY,
            [
                "mail_tls_certificate: '/etc/mine.pem' on this host is valid from 2026-01-01 to 2026-03-31 only; "
                "put a current one in its place"
            ],
        ),
        (
            {**CERTIFICATE, "subject_alt_name": ["DNS:mail.home.internal", "DNS:www.home.internal"]},
            KEY,
            [
                "mail_tls_certificate: '/etc/mine.pem' on this host is not for webmail.home.internal "
                "(it is for: mail.home.internal, www.home.internal); "
                "bring one that names it, or correct mail_hostname, mail_webmail_hostname or mail_autoconfig_hostnames"
            ],
        ),
        (
            {**CERTIFICATE, "subject_alt_name": None},
            KEY,
            [
                f"mail_tls_certificate: '/etc/mine.pem' on this host is not for {name} (it is for: no DNS name); "
                "bring one that names it, or correct mail_hostname, mail_webmail_hostname or mail_autoconfig_hostnames"
                for name in NAMES
            ],
        ),
    ],
    ids=["no-certificate", "no-key", "unusable-key", "other-key", "expired", "other-names", "no-names"],
)
def test_what_cannot_serve_is_named(
    certificate: dict[str, Any], key: dict[str, Any], expected: list[str]
) -> None:
    assert certificate_problems(certificate, key, NAMES) == expected


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("mail.home.internal", "mail.home.internal", True),
        ("Mail.Home.Internal", "mail.home.internal", True),
        ("mail.home.internal", "webmail.home.internal", False),
        ("home.internal", "mail.home.internal", False),
        ("*.home.internal", "mail.home.internal", True),
        ("*.home.internal", "a.mail.home.internal", False),
        ("*.home.internal", "home.internal", False),
        ("m*.home.internal", "mail.home.internal", False),
        ("*", "mail", False),
    ],
)
def test_names_and_wildcards(pattern: str, name: str, expected: bool) -> None:
    assert covers(pattern, name) is expected
