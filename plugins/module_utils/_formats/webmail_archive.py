# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Release archives of SnappyMail and of its fork Tachyon: what is in them, and whether they can be used."""

from __future__ import annotations

import hashlib
import re
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

PROGRAMS = ("snappymail", "tachyon")
"""The folders that releases keep their program in: SnappyMail's and its fork's."""


class ReleaseError(Exception):
    """An archive or release that must not become current. The message says what was found and what to do."""


def verify(archive: Path, sha256: str) -> None:
    """Raise `ReleaseError` unless the archive has this checksum."""
    with archive.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != sha256.lower():
        raise ReleaseError(
            f"the archive's sha256 is {found}, but {sha256} was asked for. "
            "Use the archive that belongs to the checksum, or the checksum that its publisher names."
        )


def inspect(archive: Path) -> str:
    """Read a tar archive through, and return the version of the release that it holds.

    Raises `ReleaseError` where it is damaged, would write elsewhere than in its folder, or has another layout.
    """
    try:
        with tarfile.open(archive) as tar:
            return _version([_safe_name(member) for member in tar if not member.isdir()])
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        reason = str(error).partition("\n")[0]
        raise ReleaseError(f"the archive cannot be unpacked ({reason}). Fetch it again.") from error


def _safe_name(member: tarfile.TarInfo) -> str:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts:
        raise ReleaseError(
            f"the archive holds {member.name!r}, which leads out of its folder. Do not use it."
        )
    if not member.isfile():
        raise ReleaseError(
            f"the archive holds {member.name!r}, which is neither a file nor a folder. Do not use it."
        )
    return str(name)


def _version(names: Iterable[str]) -> str:
    """Return the version of the release that has these files, or raise `ReleaseError` for another layout."""
    files = set(names)
    parts = {tuple(name.split("/")[:4]) for name in files}
    homes = {home[:3] for home in parts if len(home) == 4 and home[0] in PROGRAMS and home[1] == "v"}
    wanted = {(*home, part) for home in homes for part in ("include.php", "app", "static", "themes")}
    if "index.php" not in files or len(homes) != 1 or not wanted <= parts:
        raise ReleaseError(
            "the archive is no webmail release: it must hold index.php and exactly one "
            "snappymail/v/VERSION/ or tachyon/v/VERSION/ with include.php, app, static and themes. "
            "Use a release archive, not the source."
        )
    version = homes.pop()[2]
    if not re.fullmatch(r"[0-9][0-9A-Za-z.-]*", version):
        raise ReleaseError(f"the archive names its version {version!r}. Use a release archive.")
    return version
