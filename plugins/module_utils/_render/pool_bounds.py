# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a webmail's pool of PHP-FPM sees of its host."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any, TypedDict

ROOTS = "/var/lib/ilnmors-webmail"
"""Below which each pool has a folder, which is the root of its workers; on the host itself they stay empty."""
NAMES = "/run/mail-webmail-names"
"""Copies of what the C library looks names up by, kept by mail-webmail-names.service."""
DROP_IN = "/etc/systemd/system/{}.d/ilnmors-{}.conf"
LOG = "/run/systemd/journal/dev-log"

COMMON = (
    # The C library loads parts of itself when they are needed first.
    "/usr/lib",
    # Debian's PHP knows time zones by these.
    "/usr/share/zoneinfo",
)


class Bounds(TypedDict):
    """Lines for the pool; and for config_files the directories and files of the host that it needs."""

    lines: str
    directories: list[dict[str, str]]
    files: list[dict[str, str]]


def pool_bounds(pool: dict[str, Any], unit: str, harden: bool = True) -> Bounds:
    """Return what keeps the workers of a pool within the folders of their application.

    pool: its `name`, the absolute paths that it `reads` and `writes`, and the `authorities` that it verifies servers
    by. unit: the service of PHP-FPM. harden: by a root of their own, which the kernel sees to; otherwise by PHP's
    open_basedir, for which PHP looks up each part of each path anew.
    """
    reads, writes = list(pool["reads"]), list(pool["writes"])
    if not harden:
        folders = ":".join(path if PurePosixPath(path).suffix else f"{path}/" for path in [*reads, *writes])
        lines = [
            "; PHP keeps no paths in mind with this, which takes 5 to 30 ms of the processor at each request.",
            f"php_admin_value[open_basedir] = {folders}",
        ]
        return {"lines": "\n".join(["", *lines, ""]), "directories": [], "files": []}
    root = f"{ROOTS}/{pool['name']}"
    seen = [*COMMON, *reads, *_folders(pool["authorities"])]
    binds = [
        ("BindReadOnlyPaths", NAMES, "/etc"),
        ("BindReadOnlyPaths", LOG, "/dev/log"),
        *(("BindReadOnlyPaths", path, path) for path in dict.fromkeys(seen)),
        *(("BindPaths", path, path) for path in writes),
    ]
    drop_in = [
        "# Ansible managed",
        "[Unit]",
        "Wants=mail-webmail-names.service",
        "After=mail-webmail-names.service",
        "",
        "[Service]",
        "# What the workers of a pool see of the host. What is not there keeps no other pool from starting.",
        f"TemporaryFileSystem={root}:ro,mode=0755",
        *(f"{setting}=-{_quoted(source)}:{_quoted(root + place)}" for setting, source, place in binds),
    ]
    return {
        "lines": f"\n; What lies here is all of the host that workers see.\nchroot = {root}\n",
        "directories": [{"path": ROOTS}, {"path": root}],
        "files": [{"path": DROP_IN.format(unit, pool["name"]), "content": "\n".join([*drop_in, ""])}],
    }


def _folders(files: Iterable[str]) -> list[str]:
    """Return the folders of files, which are replaced at times; the file alone where that is /etc, for example."""
    return [
        str(path.parent) if len(path.parent.parts) > 2 else str(path) for path in map(PurePosixPath, files)
    ]


def _quoted(path: str) -> str:
    """Write a path as a part of systemd's BindPaths= (systemd.exec(5))."""
    for character in "\\: \"'":
        path = path.replace(character, f"\\{character}")
    return path.replace("%", "%%")
