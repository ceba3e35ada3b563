# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tells whether a password or token is the one that was refused, without keeping it."""

from __future__ import annotations

import hashlib
import secrets


def credential_digest(credential: str) -> str:
    """Return what tells a credential from another, from which it cannot be had cheaply (RFC 7914, 16 MiB each)."""
    salt = secrets.token_bytes(16)
    return f"{salt.hex()} {_scrypt(credential, salt).hex()}"


def is_digest_of(digest: str, credential: str) -> bool:
    """Say whether credential_digest() made this of the credential."""
    try:
        salt, expected = map(bytes.fromhex, digest.split(" "))
    except ValueError:
        return False
    return secrets.compare_digest(_scrypt(credential, salt), expected)


def _scrypt(credential: str, salt: bytes) -> bytes:
    return hashlib.scrypt(credential.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32)
