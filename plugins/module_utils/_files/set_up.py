# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What this host was last set up with: a digest of each option, in a file for root alone.

What a run is about to apply is taken out before it changes anything and written again when all of it has ended well,
so that a run that was cut off leaves the host with what it had applied for certain.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from ansible_collections.ilnmors.mail.plugins.module_utils._files.disk import beside, sync

RECORD = Path("/var/lib/ilnmors-mail/set-up.json")


def read() -> dict[str, str]:
    """Return the digests by the options' names; none where the host was never set up, or what says so is damaged."""
    try:
        found = json.loads(RECORD.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return {str(name): str(digest) for name, digest in found.items()} if isinstance(found, dict) else {}


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the names of what is not as it was."""
    return [name for name in now if before.get(name) != now[name]]


def without(before: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """Return what is certain while these are applied."""
    return {name: digest for name, digest in before.items() if name not in names}


def write(record: Mapping[str, str]) -> None:
    """Replace what is known of the host, so that no power cut leaves half of it."""
    RECORD.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    new = beside(RECORD)
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(record, file)
            file.flush()
            os.fsync(descriptor)
        new.rename(RECORD)
    finally:
        new.unlink(missing_ok=True)
    sync(RECORD.parent)
