# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether files that options name are there, and are what they have to be.

Each function returns problems: sentences that name the option, the path and what to do. What is in a file of a password
or key is never part of one.
"""

from __future__ import annotations

import ssl
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

# What the package ca-certificates installs.
PACKAGED_CA = "/etc/ssl/certs/ca-certificates.crt"


def password_file_problems(files: Mapping[str, str]) -> Iterator[str]:
    """Check files that hold one password each, by the options that name them."""
    for option, path in files.items():
        fault = _password_file_fault(Path(path))
        if fault:
            yield f"{option}: {path} {fault}"


def _password_file_fault(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            return "is not a file; write the path of the one that holds the password"
        if mode & 0o077:
            return f"has mode {stat.S_IMODE(mode):04o}, so that others can read it; run 'chmod 600 {path}'"
        lines = path.read_bytes().splitlines()
    except OSError as error:
        return _unreadable(error)
    if not any(lines):
        return "is empty; write the password into it"
    return "has more than one line; write the password into it, and nothing else" if len(lines) > 1 else ""


def authority_file_problems(files: Mapping[str, str]) -> Iterator[str]:
    """Check files that servers are verified against, by their options. That of Debian's package may come later."""
    for option, path in files.items():
        fault = "" if path == PACKAGED_CA else _certificates_fault(Path(path))
        if fault:
            yield f"{option}: {path} {fault}, or leave it out for those of Debian"


def _certificates_fault(path: Path) -> str:
    try:
        path.read_bytes()
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        return "holds no certificate in PEM form; write the path of a file that does"
    except OSError as error:
        return _unreadable(error)
    return ""


def certificate_problems(certificate: Path, key: Path) -> Iterator[str]:
    """Check a certificate that the user brings, and that the key belongs to it. Its dates and names: mail_tls."""
    faults = [
        ("mail_tls_certificate", certificate, _certificates_fault(certificate)),
        ("mail_tls_key", key, _key_fault(key)),
    ]
    if not any(fault for *__, fault in faults):
        faults.append(("mail_tls_key", key, _pair_fault(certificate, key)))
    yield from (f"{option}: {path} {fault}" for option, path, fault in faults if fault)


def _pair_fault(certificate: Path, key: Path) -> str:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, _no_passphrase)
    except (ssl.SSLError, ValueError) as error:
        if "MISMATCH" in str(getattr(error, "reason", "")):
            return (
                f"does not belong to {certificate}; name the key that the certificate was made for, and put the host's "
                "own certificate first in the chain"
            )
        return "is not a private key that can be used; write it in PEM form and without a passphrase"
    return ""


def _no_passphrase() -> str:
    """Keep OpenSSL from asking for one."""
    raise ValueError("the key has a passphrase")


def _key_fault(path: Path) -> str:
    try:
        path.read_bytes()
    except OSError as error:
        return _unreadable(error)
    return ""


def _unreadable(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "is not there; put it on the host"
    return f"cannot be read: {error.strerror}"
