# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The house's own plugins of Roundcube: folders of files for the application, as `config_files` takes them."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict


class Plugins(TypedDict):
    """What makes the plugins: their names, and for the module directories, files and checks."""

    names: list[str]
    directories: list[dict[str, str]]
    files: list[dict[str, str]]
    checks: list[list[str]]


def roundcube_plugins(source: Path, destination: str) -> Plugins:
    """Return what `config_files` needs to install the plugins below ``source``, whose folders begin with house_.

    Everybody may read them: nginx hands out their scripts and styles.
    """
    folders = sorted(path for path in source.glob("house_*") if path.is_dir())
    files = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
    places = {path: f"{destination}/{path.relative_to(source)}" for path in files}
    return {
        "names": [folder.name for folder in folders],
        "directories": [
            {"path": f"{destination}/{folder.relative_to(source)}"}
            for folder in sorted({path.parent for path in files} | set(folders))
        ],
        "files": [
            {"path": place, "content": path.read_text(encoding="utf-8")} for path, place in places.items()
        ],
        "checks": [
            ["php", "-l", f"%s{place}"] for path, place in places.items() if path.suffix in (".php", ".inc")
        ],
    }
