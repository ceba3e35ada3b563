# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role says of the host."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

CONFIG = Path("/etc/mail-monitoring/config.json")
STATE = Path("/var/lib/mail-monitoring/state.json")
OUTPUT = Path("/run/mail-monitoring/metrics.prom")


@dataclass(frozen=True)
class Config:
    """version: of the collection. certificates: files in PEM, each a certificate and those that it is signed by."""

    version: str
    certificates: tuple[Path, ...]
    units: tuple[str, ...]

    @classmethod
    def read(cls, path: Path = CONFIG) -> Config:
        """Read the file that the role writes."""
        values = json.loads(path.read_text("utf-8"))
        return cls(values["version"], tuple(map(Path, values["certificates"])), tuple(values["units"]))
