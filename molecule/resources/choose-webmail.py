#!/usr/bin/env python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Say which archive of SnappyMail the lab deploys: write its path to a file that the inventory reads.

choose-webmail.py CHOICE [--download] [ARCHIVE]

CHOICE is that file, ARCHIVE the one to take. Without it, --download tries to get the official one, which counts only
with the checksum that the role pins. Where nothing is left, CHOICE is empty: the lab shows Roundcube, and SnappyMail's
place is taken by its stand-in for the tests.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEFAULTS = ROOT / "roles/snappymail/defaults/main.yml"
CACHE = ROOT / ".cache"

ANSWER = 5
"""Seconds that the server may take for its first bytes, and for any that follow."""
DOWNLOAD = 60
"""Seconds for all of the archive."""


def pinned() -> tuple[str, str, str]:
    """Return version, address and SHA-256 of the official archive, as the role has them."""
    options = yaml.safe_load(DEFAULTS.read_text())
    version = str(options["snappymail_version"])
    address = options["snappymail_archive_url"].replace("{{ snappymail_version }}", version)
    return version, "".join(address.split()), options["snappymail_archive_sha256"]


def within(seconds: float, work: Callable[[], bytes]) -> bytes:
    """Return what some work yields; raise TimeoutError when it takes longer, whatever it waits for."""
    done: list[bytes | Exception] = []

    def run() -> None:
        try:
            done.append(work())
        except Exception as error:  # raised again below
            done.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not done:
        raise TimeoutError(f"not there within {seconds} s")
    if isinstance(done[0], Exception):
        raise done[0]
    return done[0]


def download(address: str) -> bytes:
    """Return what is at an address. Names that never resolve and servers that trickle end at a deadline too."""
    request = urllib.request.Request(address)  # noqa: S310 # the role's own address
    answer = []
    within(ANSWER, lambda: answer.append(urllib.request.urlopen(request, timeout=ANSWER)) or b"")  # noqa: S310
    return within(DOWNLOAD, answer[0].read)


def official() -> Path | None:
    """Return the official archive, from the cache or the world; None, and say why, where it cannot be had."""
    version, address, sha256 = pinned()
    path = CACHE / f"snappymail-{version}.tar.gz"
    if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
        print(f"==> the webmail is SnappyMail {version}, from {path.relative_to(ROOT)}")
        return path
    try:
        content = download(address)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ValueError("its checksum is not the one that the role pins")
    except (OSError, ValueError) as error:
        print(f"==> the webmail is Roundcube, for SnappyMail's archive cannot be had ({error})")
        return None
    CACHE.mkdir(exist_ok=True)
    path.write_bytes(content)
    print(f"==> the webmail is SnappyMail {version}, from {address}")
    return path


def main() -> None:
    """Write the choice, and print it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("choice", type=Path)
    parser.add_argument("archive", type=Path, nargs="?")
    parser.add_argument("--download", action="store_true")
    given = parser.parse_args()
    chosen = given.archive
    if chosen:
        if not chosen.is_file():
            sys.exit(f"SNAPPYMAIL_ARCHIVE: there is no file {chosen}")
        print(f"==> the webmail is SnappyMail, from {chosen}")
    elif given.download:
        chosen = official()
    else:
        print("==> the webmail is Roundcube, and SnappyMail's place is taken by its stand-in for the tests")
    given.choice.parent.mkdir(parents=True, exist_ok=True)
    given.choice.write_text(f"{chosen.resolve()}\n" if chosen else "")


if __name__ == "__main__":
    main()
