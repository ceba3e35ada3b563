# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""As whom programs read and write that root starts: they go on as the account's user."""

from __future__ import annotations

import contextlib
import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path

STATES = Path("/var/lib/mbsync-fetch")


@contextlib.contextmanager
def as_root() -> Iterator[None]:
    """Read what only its owner can, if the program was started by root."""
    user = os.geteuid()
    if os.getuid() == 0:
        os.seteuid(0)
    try:
        yield
    finally:
        os.seteuid(user)


def become(name: str) -> Path:
    """Go on as the user of an account, as far as files are written; return the account's directory, or OSError."""
    directory = STATES / name
    try:
        user = pwd.getpwnam(f"mbsync-fetch-{name}")
    except KeyError:
        raise FileNotFoundError(f"there is no user mbsync-fetch-{name}; run the site playbook") from None
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700)
        os.chown(directory, user.pw_uid, user.pw_gid)
    os.umask(0o077)
    os.setgroups([])
    os.setegid(user.pw_gid)
    os.seteuid(user.pw_uid)
    return directory


def secret_of(name: str) -> str:
    """Read the secret from where the service has it (systemd.exec(5), LoadCredential), or OSError."""
    unit = f"mbsync-fetch@{name}.service"
    shown = subprocess.run(["systemctl", "cat", unit], capture_output=True, check=False, text=True)
    lines = shown.stdout.splitlines() if shown.returncode == 0 else []
    paths = [line.partition(":")[2] for line in lines if line.startswith("LoadCredential=")]
    if not paths:
        raise FileNotFoundError(f"no {unit} says where the secret of {name!r} lies; run the site playbook")
    return Path(paths[0]).read_text("utf-8").strip("\r\n")
