# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A set of symbolic links: what differs from the host, and how it is put right."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class LinksError(Exception):
    """Why a link cannot be made; the message says what to do."""


@dataclass(frozen=True)
class Change:
    """A link that differs. before, after: what it points to; None where there is none."""

    path: Path
    before: Path | None
    after: Path | None


def plan_links(links: Mapping[Path, Path], absent: Sequence[str]) -> list[Change]:
    """Compare links, by where they lie, with the host. absent: patterns of links to remove unless they are wanted."""
    # Of all that matches, nothing but links was made here.
    found = {Path(name) for pattern in absent for name in glob.glob(pattern)} - links.keys()  # noqa: PTH207
    removed = [Change(path, path.readlink(), None) for path in sorted(found) if path.is_symlink()]
    wanted = [Change(path, _target(path), target) for path, target in sorted(links.items())]
    return [change for change in wanted if change.before != change.after] + removed


def _target(path: Path) -> Path | None:
    if path.is_symlink():
        return path.readlink()
    if path.exists():
        raise LinksError(f"links: {path} exists and is not a symbolic link; move it out of the way")
    return None


def put_in_place(changes: Sequence[Change]) -> None:
    """Make the changes. A link is replaced in one step, and directories that are missing are made."""
    for change in changes:
        if change.after is None:
            change.path.unlink()
            continue
        change.path.parent.mkdir(parents=True, exist_ok=True)
        beside = change.path.with_name(f".{change.path.name}.new")
        beside.unlink(missing_ok=True)
        beside.symlink_to(change.after)
        beside.rename(change.path)


def diff(changes: Sequence[Change]) -> list[dict[str, str]]:
    """Return what Ansible shows in diff mode."""
    return [
        {
            "before_header": str(change.path),
            "after_header": str(change.path),
            "before": f"link to {change.before}\n" if change.before else "",
            "after": f"link to {change.after}\n" if change.after else "",
        }
        for change in changes
    ]
