# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files on the mail host that options of mbsync_fetch name.

Each function returns problems, as house.py does. What is in a file of a password is never part of one.
"""

from __future__ import annotations

import ssl
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

# What the role's package ca-certificates installs.
PACKAGED_CA = Path("/etc/ssl/certs/ca-certificates.crt")


def password_file_problems(files: Mapping[str, Path]) -> Iterator[str]:
    """Check the files that hold passwords, by the names of their accounts."""
    for name, path in files.items():
        fault = _password_file_fault(path)
        if fault:
            yield f"mail_providers ({name}).password_file: {path} {fault}"


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


def ca_problems(path: Path) -> Iterator[str]:
    """Check the certificates that providers are verified against. Those of the package may come later."""
    if path == PACKAGED_CA:
        return
    try:
        path.read_bytes()
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        fault = "holds no certificate in PEM form; write the path of a file that does"
    except OSError as error:
        fault = _unreadable(error)
    else:
        return
    yield f"mbsync_fetch_provider_ca: {path} {fault}, or leave it out for those of Debian"


def _unreadable(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "is not there; put it on the mail host"
    return f"cannot be read: {error.strerror}"
