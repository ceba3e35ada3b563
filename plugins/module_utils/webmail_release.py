# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Webmail releases on one host: unpacked side by side, one of them current.

::

    ROOT/current -> versions/2.38.2-71f1d8a9065c
    ROOT/versions/2.38.2-71f1d8a9065c/   named by version and the first digits of the archive's sha256
    ROOT/versions/2.38.1-…/              what ran before, kept for the way back

A release exists under its name only when it is complete, and becomes current only after its own
preparation succeeded, so nothing that fails on the way is ever served.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

DIGITS = 12
"""How many hexadecimal digits of the archive's sha256 are part of a release's name."""

PROGRAMS = ("snappymail", "tachyon")
"""The folders that releases keep their program in: SnappyMail's and its fork's."""


class ReleaseError(Exception):
    """An archive or release that must not become current. The message names what was found and what to do."""


@dataclass(frozen=True)
class Request:
    """The release that shall be current.

    ``sha256`` is that of the archive, in lower-case hexadecimal. ``include`` is where the release's
    ``include.php`` points to, which keeps the site's settings out of the release.
    """

    root: Path
    sha256: str
    include: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """What is current now, and what was before: names under ``ROOT/versions``, None where there is none."""

    release: str
    previous: str | None

    @property
    def changed(self) -> bool:
        """Whether another release is current than before."""
        return self.release != self.previous


def current(root: Path) -> str | None:
    """Return the name of the current release, or None."""
    link = root / "current"
    return link.readlink().name if link.is_symlink() and link.exists() else None


def unpacked(root: Path, sha256: str) -> str | None:
    """Return the name of the release that was unpacked from the archive with this checksum, or None."""
    found = sorted((root / "versions").glob(f"[0-9]*-{sha256[:DIGITS]}"))
    return found[0].name if found else None


def predict(request: Request) -> Outcome:
    """Return what `deploy` would do, without touching anything."""
    name = unpacked(request.root, request.sha256) or f"(from the archive {request.sha256[:DIGITS]}…)"
    return Outcome(name, current(request.root))


def deploy(request: Request, fetch: Callable[[Path], None], prepare: Callable[[Path], None]) -> Outcome:
    """Make the requested release current.

    ``fetch`` writes the archive to a path, and is only called when the release is not unpacked yet.
    ``prepare`` gets the unpacked release before it becomes current, and raises `ReleaseError` to refuse it.
    """
    previous = current(request.root)
    name = unpacked(request.root, request.sha256) or _install(request, fetch)
    if name != previous:
        prepare(request.root / "versions" / name)
        _switch(request.root, name)
        _prune(request.root / "versions", {name, previous})
    return Outcome(name, previous)


def verify(archive: Path, sha256: str) -> None:
    """Raise `ReleaseError` unless the archive has this checksum."""
    with archive.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != sha256:
        raise ReleaseError(
            f"sha256: the archive has {found}, but {sha256} was asked for. "
            "Use the archive that belongs to the checksum, or the checksum that its publisher names."
        )


def unpack(archive: Path, destination: Path) -> None:
    """Unpack a tar archive's files and folders, readable for all and writable for their owner only.

    The ``data`` filter of `tarfile` would do, but Debian 12's Python 3.11.2 has none.
    """
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                _unpack_member(tar, member, destination)
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        reason = str(error).partition("\n")[0]
        raise ReleaseError(f"src: the archive cannot be unpacked ({reason}). Fetch it again.") from error


def version_of(release: Path) -> str:
    """Return the version of an unpacked release, or raise `ReleaseError` if it has another layout."""
    homes = [path for program in PROGRAMS for path in release.glob(f"{program}/v/*")]
    complete = [
        home
        for home in homes
        if all((home / part).is_dir() for part in ("app", "static", "themes"))
        and (home / "include.php").is_file()
    ]
    if not (release / "index.php").is_file() or len(complete) != 1 or len(homes) != 1:
        raise ReleaseError(
            "src: the archive is no webmail release: it must hold index.php and exactly one "
            "snappymail/v/VERSION/ or tachyon/v/VERSION/ with include.php, app, static and themes. "
            "Use a release archive, not the source."
        )
    version = homes[0].name
    if not re.fullmatch(r"[0-9][0-9A-Za-z.-]*", version):
        raise ReleaseError(f"src: the archive names its version {version!r}. Use a release archive.")
    return version


def _install(request: Request, fetch: Callable[[Path], None]) -> str:
    """Fetch, check and unpack the release under its name; return the name."""
    versions = request.root / "versions"
    _make_folder(versions, request.root.parent)
    workplace = Path(tempfile.mkdtemp(prefix=".new-", dir=versions))
    try:
        archive = workplace / "archive"
        fetch(archive)
        verify(archive, request.sha256)
        release = workplace / "release"
        release.mkdir()
        unpack(archive, release)
        name = f"{version_of(release)}-{request.sha256[:DIGITS]}"
        # The archive's own data folder would lie within the web root.
        shutil.rmtree(release / "data", ignore_errors=True)
        if request.include:
            (release / "include.php").unlink(missing_ok=True)
            (release / "include.php").symlink_to(request.include)
        release.chmod(0o755)
        release.rename(versions / name)
        return name
    finally:
        shutil.rmtree(workplace)


def _unpack_member(tar: tarfile.TarFile, member: tarfile.TarInfo, destination: Path) -> None:
    target = destination / member.name
    if Path(member.name).is_absolute() or ".." in Path(member.name).parts:
        raise ReleaseError(
            f"src: the archive holds {member.name!r}, which leads out of its folder. Do not use it."
        )
    if member.isdir():
        _make_folder(target, destination)
    elif member.isfile():
        _make_folder(target.parent, destination)
        content = tar.extractfile(member)
        assert content is not None  # noqa: S101 - a regular file has content
        with content, target.open("wb") as out:
            shutil.copyfileobj(content, out)
        target.chmod(0o644)
    else:
        raise ReleaseError(
            f"src: the archive holds {member.name!r}, which is neither a file nor a folder. Do not use it."
        )


def _make_folder(folder: Path, top: Path) -> None:
    """Make a folder below ``top``, whatever the umask is."""
    if folder != top and not folder.is_dir():
        _make_folder(folder.parent, top)
        folder.mkdir()
        folder.chmod(0o755)


def _switch(root: Path, name: str) -> None:
    link = root / ".current"
    link.unlink(missing_ok=True)
    link.symlink_to(Path("versions") / name)
    link.replace(root / "current")


def _prune(versions: Path, keep: set[str | None]) -> None:
    """Remove older releases, and what an interrupted run left behind."""
    for path in versions.iterdir():
        if path.name not in keep:
            shutil.rmtree(path)
