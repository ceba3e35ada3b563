# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sizes, written the one way that Dovecot 2.3 and 2.4 both read alike."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Without a unit, 2.3 counts a quota in KiB (quota-util.c) and 2.4 in bytes (str-parse.c): one is required.
_SIZE = re.compile(r"(\d+)([BKMGT])\Z", re.ASCII | re.IGNORECASE)
_FACTORS = {"B": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_LIMIT = 2**63  # 2.3 computes with signed 64 bits


def size_bytes(value: object) -> int:
    """Return a size such as '5G' or '500M' in bytes; '0' (and what is not set: None or '') is 0, for no size.

    Raise ValueError for anything else.
    """
    text = "" if value is None else str(value)
    if text in ("", "0"):
        return 0
    match = _SIZE.match(text)
    size = int(match[1]) * _FACTORS[match[2].upper()] if match else 0
    if not 0 < size < _LIMIT:
        raise ValueError(f"{value!r} is not a size")
    return size


def size_problems(where: str, value: object) -> Iterator[str]:
    """Check a size. where: the variable, as the sentence names it."""
    try:
        size_bytes(value)
    except ValueError as error:
        yield (
            f"{where}: {error}; write a whole number and a unit (B, K, M, G or T), such as '5G', "
            "or leave it out"
        )
