# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Webmail releases on one host: unpacked side by side, one of them current.

::

    ROOT/current -> versions/2.38.2-71f1d8a9065c
    ROOT/versions/2.38.2-71f1d8a9065c/   named by version and the first digits of the archive's sha256
    ROOT/versions/2.38.1-…/              what ran before, kept for the way back

A release exists under its name only when it is complete, and becomes current only after its own
preparation succeeded, so nothing that fails on the way is ever served. One run at a time: a second one waits.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ansible_collections.ilnmors.mail.plugins.module_utils.disk import sync

DIGITS = 12
"""How many hexadecimal digits of the archive's sha256 are part of a release's name."""

PROGRAMS = ("snappymail", "tachyon")
"""The folders that releases keep their program in: SnappyMail's and its fork's."""

WORKPLACE = ".new"
"""Where a release is unpacked, below ``versions``, until it is complete."""


class ReleaseError(Exception):
    """An archive or release that must not become current. The message says what was found and what to do."""


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


def stage(request: Request, fetch: Callable[[Path], None]) -> str:
    """Unpack the requested release beside the current one, and return its name.

    ``fetch`` writes the archive to a path, and is only called when the release is not unpacked yet.
    """
    with _alone(request.root):
        return _stage(request, fetch)


def deploy(request: Request, fetch: Callable[[Path], None], prepare: Callable[[Path], None]) -> Outcome:
    """Make the requested release current, unpacked by `fetch` as in `stage` where it is not yet.

    ``prepare`` gets the unpacked release before it becomes current, and raises `ReleaseError` to refuse it.
    """
    with _alone(request.root):
        name, previous = _stage(request, fetch), current(request.root)
        if name != previous:
            prepare(request.root / "versions" / name)
            _switch(request.root, name)
            _prune(request.root / "versions", {name, previous})
    return Outcome(name, previous)


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


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Keep other runs out of the releases; the kernel ends the lock of a run that dies."""
    versions = root / "versions"
    _make_folder(versions, root.parent)
    folder = os.open(versions, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _stage(request: Request, fetch: Callable[[Path], None]) -> str:
    return unpacked(request.root, request.sha256) or _install(request, fetch)


def _install(request: Request, fetch: Callable[[Path], None]) -> str:
    """Fetch, check and unpack the release under its name; return the name."""
    workplace = request.root / "versions" / WORKPLACE
    shutil.rmtree(workplace, ignore_errors=True)
    workplace.mkdir(mode=0o700)
    try:
        archive, release = workplace / "archive", workplace / "release"
        fetch(archive)
        verify(archive, request.sha256)
        name = f"{inspect(archive)}-{request.sha256[:DIGITS]}"
        _make_folder(release, workplace)
        _unpack(archive, release)
        # The archive's own data folder would lie within the web root.
        shutil.rmtree(release / "data", ignore_errors=True)
        if request.include:
            (release / "include.php").unlink(missing_ok=True)
            (release / "include.php").symlink_to(request.include)
        # A power cut must not leave a name whose files are empty.
        os.sync()
        release.rename(request.root / "versions" / name)
        return name
    finally:
        shutil.rmtree(workplace)


def _unpack(archive: Path, destination: Path) -> None:
    """Unpack the files of an inspected archive, readable for all and writable for their owner only.

    The ``data`` filter of `tarfile` would do, but Debian 12's Python 3.11.2 has none.
    """
    with tarfile.open(archive) as tar:
        for member in tar:
            content = tar.extractfile(member)
            if content is None:
                continue  # a folder; the files make those that are needed
            target = destination / member.name
            _make_folder(target.parent, destination)
            with content, target.open("wb") as out:
                shutil.copyfileobj(content, out)
            target.chmod(0o644)


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
    sync(root)


def _prune(versions: Path, keep: set[str | None]) -> None:
    """Remove older releases, and what an interrupted run left behind."""
    for path in versions.iterdir():
        if path.name not in keep:
            shutil.rmtree(path)
