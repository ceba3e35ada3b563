# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Digests of messages that anybody can work out again (roles/mbsync_fetch/README.md, A statement)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def of_uids(uids: Iterable[int]) -> str:
    """Return the SHA-256 of UIDs: in ascending order, in decimal, each followed by a line feed."""
    return _sha256(str(uid).encode("ascii") for uid in sorted(uids))


def of_message_ids(message_ids: Iterable[bytes]) -> str:
    """Return the SHA-256 of Message-IDs: in the order of their bytes, each followed by a line feed.

    Each message counts, also one without a Message-ID, as an empty line.
    """
    return _sha256(sorted(message_ids))


def _sha256(lines: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line + b"\n")
    return digest.hexdigest()
