# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Webmail releases on one host: unpacked side by side, one of them current.

::

    ROOT/current -> versions/2.38.2-71f1d8a9065c
    ROOT/versions/2.38.2-71f1d8a9065c/   named by version and the first digits of the archive's sha256
    ROOT/versions/2.38.1-…/              what ran before, kept for the way back

A release exists under its name only when it is complete, and becomes current only after its own
preparation succeeded, so nothing that fails on the way is ever served, or left behind. One run at a time: a second one
waits.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.ilnmors.mail.plugins.module_utils._files.disk import sync
from ansible_collections.ilnmors.mail.plugins.module_utils._formats.webmail_archive import (
    ReleaseError,
    inspect,
    verify,
)

DIGITS = 12
"""How many hexadecimal digits of the archive's sha256 are part of a release's name."""


WORKPLACE = ".new"
"""Where a release is unpacked, below ``versions``, until it is complete."""


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

    ``prepare`` gets the unpacked release before it becomes current, and raises `ReleaseError` to refuse it; then it is
    removed.
    """
    with _alone(request.root):
        name, previous = _stage(request, fetch), current(request.root)
        if name != previous:
            try:
                prepare(request.root / "versions" / name)
            except ReleaseError:
                shutil.rmtree(request.root / "versions" / name)
                raise
            _switch(request.root, name)
            _prune(request.root / "versions", {name, previous})
    return Outcome(name, previous)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Keep other runs out of the releases; the kernel ends the lock of a run that dies."""
    versions = root / "versions"
    folder = _locked(versions, root.parent)
    try:
        yield
    finally:
        # Where nothing came of the first run.
        with suppress(OSError):
            versions.rmdir()
            root.rmdir()
        os.close(folder)


def _locked(folder: Path, top: Path) -> int:
    """Make a folder below ``top``, and return it open and locked."""
    while True:
        _make_folder(folder, top)
        found = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(found, fcntl.LOCK_EX)
        # Another run may have removed it meanwhile.
        if folder.is_dir() and os.path.samestat(folder.stat(), os.fstat(found)):
            return found
        os.close(found)


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
