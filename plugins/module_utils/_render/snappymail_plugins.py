# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The webmail role's own plugins: folders of files for the application, as `config_files` takes them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict

from ansible_collections.ilnmors.mail.plugins.module_utils._site.webmail_settings import NAMES

_VERSION = "@VERSION@"


class Plugins(TypedDict):
    """What makes the plugins: their names, the version of all, and for the module directories, files and checks."""

    names: list[str]
    version: str
    directories: list[dict[str, str]]
    files: list[dict[str, str]]
    checks: list[list[str]]


def plugins(source: Path, destination: str, group: str) -> Plugins:
    """Return what `config_files` needs to install the plugins below ``source``.

    The application keeps what it has made of plugins for as long as their versions stay, and browsers do too. So
    the version of each is that of its files' content.
    """
    found: Plugins = {"names": list(NAMES), "version": "", "directories": [], "files": [], "checks": []}
    versions = []
    for name in NAMES:
        files = sorted(path for path in (source / name).rglob("*") if path.is_file())
        contents = {path: path.read_text(encoding="utf-8") for path in files}
        version = _digest(contents.values())
        versions.append(version)
        for folder in sorted({path.parent for path in files}):
            path = f"{destination}/{folder.relative_to(source)}"
            found["directories"].append({"path": path, "group": group, "mode": "0750"})
        for file, content in contents.items():
            path = f"{destination}/{file.relative_to(source)}"
            text = content.replace(_VERSION, version)
            found["files"].append({"path": path, "content": text, "group": group, "mode": "0640"})
            if file.suffix == ".php":
                found["checks"].append(["php", "-l", f"%s{path}"])
    found["version"] = _digest(versions)
    return found


def _digest(contents: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(contents).encode()).hexdigest()[:12]
