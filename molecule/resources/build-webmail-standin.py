#!/usr/bin/env python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make the webmail stand-in's archive, the same bytes each time, and print its path and sha256.

build-webmail-standin.py [ARCHIVE [HOME]]      default: .cache/webmail-standin.tar.gz of the checkout

HOME is the program's folder in the archive, of another version or of the fork, such as tachyon/v/0.2-standin.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "webmail-standin"
HOME = "snappymail/v/0.1-standin"


def main() -> None:
    """Write the archive and print what was written."""
    archive = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parents[1] / ".cache/webmail-standin.tar.gz"
    content = build(sys.argv[2] if len(sys.argv) > 2 else HOME)
    archive.parent.mkdir(parents=True, exist_ok=True)
    if not archive.exists() or archive.read_bytes() != content:
        archive.write_bytes(content)
    print(archive, hashlib.sha256(content).hexdigest())


def build(home: str) -> bytes:
    """Return the archive: the source's files in the layout of a release, with no trace of who made it when."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(path for path in SOURCE.rglob("*") if path.is_file()):
            name = path.relative_to(SOURCE).as_posix()
            entry = tarfile.TarInfo(name.replace("program/", f"{home}/", 1))
            entry.size = path.stat().st_size
            archive.addfile(entry, io.BytesIO(path.read_bytes()))
    archive_gz = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=archive_gz, mtime=0) as stream:
        stream.write(tar.getvalue())
    return archive_gz.getvalue()


if __name__ == "__main__":
    main()
