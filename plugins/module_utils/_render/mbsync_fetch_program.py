# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The program that fetches accounts: a Python package in the role's files, as `config_files` takes it."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict


class Program(TypedDict):
    """What installs the program: its directories and files, and patterns of what an older one may have left."""

    directories: list[dict[str, str]]
    files: list[dict[str, str]]
    absent: list[str]


def program(source: Path, destination: str) -> Program:
    """Return what `config_files` needs to install the package below ``source`` on a host, and no other modules.

    A module that lies in a package by mistake can be imported: what an older program had elsewhere has to go.
    """
    modules = sorted(source.rglob("*.py"))
    folders = sorted({source, *(path.parent for path in modules)})
    paths = {folder: f"{destination}/{folder.relative_to(source)}".removesuffix("/.") for folder in folders}
    return {
        "directories": [{"path": path} for path in paths.values()],
        "files": [
            {"path": f"{paths[path.parent]}/{path.name}", "content": path.read_text(encoding="utf-8")}
            for path in modules
        ],
        "absent": [f"{destination}/*.py", f"{destination}/*/*.py"],
    }
