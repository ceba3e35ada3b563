# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files that are replaced as a whole."""

from __future__ import annotations

import json
import os
from pathlib import Path

from .deliveries import Deliveries


def replace_file(path: Path, content: str, mode: int) -> None:
    """Replace a file, so that nobody ever reads half of it, also after a power cut."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.chmod(mode)
    beside.replace(path)


def read_state(path: Path) -> Deliveries:
    """Read what has been counted. One that is missing or damaged begins anew, as a counter may."""
    try:
        return Deliveries.load(json.loads(path.read_text("utf-8")))
    except (FileNotFoundError, AttributeError, KeyError, TypeError, ValueError):
        return Deliveries()


def write_state(path: Path, deliveries: Deliveries) -> None:
    """Keep the counts and how far the journal was read, which belong together, in one file."""
    replace_file(path, json.dumps(deliveries.dump()), 0o600)
