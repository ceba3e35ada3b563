# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sets of UIDs as IMAP writes them (RFC 9051 section 9, sequence-set), such as 1:3,7."""

from __future__ import annotations

from collections.abc import Iterable

# What a server takes as a command is 8192 bytes at least; the rest of it is short.
LINE = 7500


def uid_set(uids: Iterable[int]) -> str:
    """Write UIDs as a set."""
    ranges: list[list[int]] = []
    for uid in sorted(uids):
        if ranges and uid == ranges[-1][1] + 1:
            ranges[-1][1] = uid
        else:
            ranges.append([uid, uid])
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in ranges)


def in_lines(uids: Iterable[int]) -> list[list[int]]:
    """Divide UIDs so that each part, as a sequence set, fits into a command line (RFC 7162 section 4)."""
    parts: list[list[int]] = []
    size = LINE
    for uid in sorted(uids):
        if parts and uid == parts[-1][-1] + 1:
            parts[-1].append(uid)
            continue
        # What a range of its own takes: the end of it may have a digit more.
        needed = 2 * len(f"{uid}") + 3
        if size + needed > LINE:
            parts.append([])
            size = 0
        size += needed
        parts[-1].append(uid)
    return parts


def in_set(uid: int, text: str) -> bool:
    """Tell whether a UID is in a sequence set; * is taken for a UID above any."""
    for part in text.split(","):
        first, __, last = part.partition(":")
        low, high = (2**32 if edge == "*" else int(edge) for edge in (first, last or first))
        if min(low, high) <= uid <= max(low, high):
            return True
    return False


def expand(text: str, most: int = 2**32) -> list[int]:
    """Read a set without *, in its order; ValueError for anything else, and for more UIDs than `most`."""
    uids: list[int] = []
    for part in text.split(","):
        first, __, last = part.partition(":")
        low, high = sorted((int(first), int(last or first)))
        if len(uids) + high - low >= most:
            raise ValueError(f"it names more than {most} messages")
        uids += range(low, high + 1)
    return uids
