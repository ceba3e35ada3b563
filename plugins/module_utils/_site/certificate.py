# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a certificate that the user brings, and its key, will serve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def covers(pattern: str, name: str) -> bool:
    """Whether a DNS name of a certificate is for a host name (RFC 9525 section 6.3: * stands for one label)."""
    pattern, name = pattern.lower(), name.lower()
    if pattern.startswith("*."):
        return name.partition(".")[2] == pattern[2:]
    return name == pattern


def certificate_problems(
    certificate: Mapping[str, Any], key: Mapping[str, Any], names: Sequence[str]
) -> list[str]:
    """Return what is wrong: sentences with the variable, the path on the host, what was found and what to do.

    certificate: path, and what community.crypto.x509_certificate_info found there with `valid_at: {now: +0s}`.
    key: path, and what community.crypto.openssl_privatekey_info found there. names: DNS names of the host.
    """
    unreadable = [*_unreadable_certificate(certificate), *_unreadable_key(key)]
    return unreadable or list(_unfit(certificate, key, names))


def _unreadable_certificate(certificate: Mapping[str, Any]) -> Iterator[str]:
    if "public_key" not in certificate:
        yield (
            f"mail_tls_certificate: '{certificate['path']}' on this host cannot be read ({certificate['msg']}); "
            "put the certificate there (PEM, then its intermediates), or correct the path"
        )


def _unreadable_key(key: Mapping[str, Any]) -> Iterator[str]:
    if key.get("can_load_key") is False:
        yield (
            f"mail_tls_key: '{key['path']}' on this host cannot be read ({key['msg']}); "
            "put the certificate's key there, or correct the path"
        )
    elif "public_key" not in key:
        # The reason stays unsaid: it could quote what the file holds.
        yield (
            f"mail_tls_key: '{key['path']}' on this host is not a private key that can be used; "
            "write it in PEM form and without a passphrase"
        )


def _unfit(certificate: Mapping[str, Any], key: Mapping[str, Any], names: Sequence[str]) -> Iterator[str]:
    where = f"mail_tls_certificate: '{certificate['path']}' on this host"
    if certificate["public_key"].strip() != key["public_key"].strip():
        yield (
            f"mail_tls_key: '{key['path']}' on this host does not belong to '{certificate['path']}'; "
            "name the key that the certificate was made for, and put the host's own certificate first in the chain"
        )
    if not certificate["valid_at"]["now"]:
        yield (
            f"{where} is valid from {_date(certificate['not_before'])} to {_date(certificate['not_after'])} only; "
            "put a current one in its place"
        )
    found = [name[4:] for name in certificate["subject_alt_name"] or [] if name.startswith("DNS:")]
    for name in names:
        if not any(covers(pattern, name) for pattern in found):
            yield (
                f"{where} is not for {name} (it is for: {', '.join(found) or 'no DNS name'}); "
                "bring one that names it, or correct mail_hostname, mail_webmail_hostname or mail_autoconfig_hostnames"
            )


def _date(time: str) -> str:
    """Write an ASN.1 time, such as 20261123075000Z, as a date."""
    return f"{time[:4]}-{time[4:6]}-{time[6:8]}"
