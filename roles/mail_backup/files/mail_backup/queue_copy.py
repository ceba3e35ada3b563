# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Copies the mail that waits in Postfix's queue, where each message moves between directories at any moment."""

from __future__ import annotations

import stat
from pathlib import Path

from .file_copy import copy_file

# In the order in which a message goes through them; it may also go back.
QUEUES = ("maildrop", "incoming", "active", "deferred", "hold")
PASSES = 3
_COMPLETE = stat.S_IXUSR
"""Postfix sets it once the whole message has been written (mail_stream(3))."""


def copy_queue(live: Path, copy: Path) -> int:
    """Copy the queue, and return how many messages wait in it.

    Files are copied and not linked: Postfix notes in them who has the message. Gone through several times, so that a
    message that moves back meanwhile is seen.
    """
    found: dict[str, Path] = {}
    for __ in range(PASSES):
        for path in _waiting(live):
            target = copy / path.relative_to(live)
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                copy_file(path, target)
            except FileNotFoundError:
                continue
            found[path.name] = target
    kept = set(found.values())
    for old in [path for path in copy.rglob("*") if path.is_file() and path not in kept]:
        old.unlink()
    return len(kept)


def _waiting(live: Path) -> list[Path]:
    found: list[Path] = []
    for queue in QUEUES:
        for path in (live / queue).rglob("*"):
            try:
                mode = path.lstat().st_mode
            except FileNotFoundError:
                continue
            if stat.S_ISREG(mode) and mode & _COMPLETE:
                found.append(path)
    return found
