#!/usr/bin/env python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Times backups of a Maildir beside tar and zstd of the same tree; runs on the machine that has both (see backup.py).

`backup_rate.py COUNT` prints the figures as JSON, `backup_rate.py --fill HOME COUNT` puts messages into a person's home
alone, where there is a Dovecot. They have 4 KB of random text each, which compresses by a quarter, as base64 does.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

WORK = Path("/srv/bench")
FOLDERS = 20
SIZE = 4_000
CHANGED = 10
"""How many messages come before a backup of a house that has changed."""


def make(home: Path, count: int, *, listed: bool) -> None:
    """Make a person's mail in 20 folders.

    listed: whether a list of UIDs is made as well, which Dovecot makes by itself where it runs.
    """
    for number in range(1, FOLDERS + 1):
        folder = home / "Maildir" / f".Folder{number}"
        for part in ("cur", "new", "tmp"):
            (folder / part).mkdir(parents=True)
        lines = []
        for uid in range(1, count // FOLDERS + 1):
            text = base64.encodebytes(os.urandom(SIZE * 3 // 4))
            content = b"From: a@b.test\nSubject: %d\n\n%b" % (uid, text)
            name = f"1796{uid:06}.M{number}P{uid}.bench,S={len(content)}:2,S"
            (folder / "cur" / name).write_bytes(content)
            lines.append(f"{uid} :{name}\n")
        if listed:
            (folder / "dovecot-uidlist").write_text(f"3 V7 N{len(lines) + 1} Gabc\n{''.join(lines)}")


def seconds(do: Callable[[], object]) -> float:
    """Return how long something takes, with the disk's own work."""
    os.sync()
    began = time.monotonic()
    do()
    os.sync()
    return round(time.monotonic() - began, 2)


def size(path: Path) -> int:
    """Return the bytes of all files below a path."""
    return (
        sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        if path.is_dir()
        else path.stat().st_size
    )


def main(count: int) -> None:
    """Make the mail, and print what each way takes."""
    from mail_backup.backup import backup
    from mail_backup.config import Access, Config
    from mail_backup.restic import Restic
    from mail_backup.restore_house import restore_house
    from mail_backup.status import Status, Work

    shutil.rmtree(WORK, ignore_errors=True)
    home = WORK / "vmail" / "bench.internal" / "il"
    make(home, count, listed=True)
    (WORK / "credentials").mkdir()
    (WORK / "credentials" / "password").write_text("bench")
    config = Config(
        host="bench",
        domain="bench.internal",
        mail_directory=WORK / "vmail",
        places=(),
        keep={"daily": 7},
        state=WORK / "state",
        cache=WORK / "cache",
    )
    restic = Restic(config, Access(str(WORK / "repository"), {}, WORK / "credentials"))
    alone = Restic(config, Access(str(WORK / "alone"), {}, WORK / "credentials"))
    # Whoever restores is waited for.
    restoring, alone_restoring = (Restic(config, one._access, gently=False) for one in (restic, alone))
    facts: list[dict[str, Any]] = []

    def once() -> None:
        last = facts[-1] if facts else {}
        facts.append(backup(config, restic, Status(Work("ok", facts=last)), lambda __: None))

    def change() -> None:
        for number in range(CHANGED):
            (home / "Maildir" / ".Folder1" / "new" / f"1797.M{number}P1.bench").write_text(
                f"Subject: {number}\n\nnew\n"
            )
        # Only after a moment, nothing else can have the time of the last change.
        time.sleep(0.2)

    def tar() -> None:
        subprocess.run(["tar", "--zstd", "-cf", WORK / "mail.tar.zst", "-C", home, "."], check=True)

    def restore() -> None:
        shutil.rmtree(config.mail_directory / "bench.internal")
        restore_house(config, restoring, "bench", "latest", "state", "refuse", lambda __: None)

    def untar() -> None:
        (WORK / "untarred").mkdir()
        subprocess.run(["tar", "--zstd", "-xf", WORK / "mail.tar.zst", "-C", WORK / "untarred"], check=True)

    figures = {"tar": seconds(tar), "first": seconds(once), "unchanged": seconds(once)}
    # What restic takes by itself, for the same.
    figures |= {"alone": seconds(lambda: (alone.call("init"), alone.call("backup", str(home))))}
    figures |= {"start": seconds(lambda: alone.call("cat", "config"))}
    figures |= {"untar": seconds(untar)}
    shutil.rmtree(WORK / "untarred")
    figures |= {
        "alone_restore": seconds(lambda: alone_restoring.restore("latest", WORK / "alone_restored", []))
    }
    shutil.rmtree(WORK / "alone_restored")
    change()
    figures |= {"changed": seconds(once), "restore": seconds(restore)}
    figures |= {
        "tree_mb": size(home) // 1_000_000,
        "tar_mb": size(WORK / "mail.tar.zst") // 1_000_000,
        "repository_mb": size(WORK / "repository") // 1_000_000,
        "changed_bytes": facts[2]["added_bytes"],
        "copy_first": facts[0]["copy_seconds"],
        "copy_changed": facts[2]["copy_seconds"],
    }
    print(json.dumps(figures))
    shutil.rmtree(WORK)


if __name__ == "__main__":
    if sys.argv[1] == "--fill":
        make(Path(sys.argv[2]), int(sys.argv[3]), listed=False)
    else:
        main(int(sys.argv[1]))
