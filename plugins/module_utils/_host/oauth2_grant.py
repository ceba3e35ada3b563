# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host knows of accounts that log in with OAuth 2.0, and the refresh token that a person's consent gave.

The role mail_oauth2 writes the accounts; its program, roles/mail_oauth2/files/mail_oauth2.py, keeps the tokens.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._files.disk import beside, describe, sync
from ansible_collections.ilnmors.mail.plugins.module_utils._host.units import systemctl

_SETTINGS = ".authorize.json"


class GrantError(Exception):
    """What a person has to do first: a sentence without secrets."""


def read_settings(directory: Path, name: str) -> dict[str, Any]:
    """Return what _render/oauth2.py (authorization) describes of an account. Raises GrantError."""
    names = sorted(path.name.removesuffix(_SETTINGS) for path in directory.glob(f"*{_SETTINGS}"))
    if name not in names:
        known = f"; write one of {', '.join(names)}, or" if names else ";"
        wrong = f"{name!r} is not on this host" if name else "is missing"
        raise GrantError(
            f"account: {wrong}{known} give the account an oauth2 in mail_providers and run the site playbook"
        )
    found: dict[str, Any] = json.loads((directory / f"{name}{_SETTINGS}").read_bytes())
    return found


# --- from one run of the module to the next


def keep_request(directory: Path, name: str, request: Mapping[str, Any]) -> None:
    """Keep what waits for a consent, for root alone. Raises GrantError."""
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        write(directory / f"{name}.json", request, os.geteuid(), os.getegid())
    except OSError as error:
        raise GrantError(describe(error, directory)) from None


def take_request(directory: Path, name: str) -> dict[str, Any]:
    """Return what waits for a consent, which is good for one use. Raises GrantError."""
    path = directory / f"{name}.json"
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
        path.unlink()
    except (OSError, ValueError):
        raise GrantError(f"nothing was asked for {name} yet; run the playbook authorize as a whole") from None
    return found


# --- the refresh token


def keep_grant(directory: Path, state: Path, name: str, refresh_token: str) -> str:
    """Give the unit of an account a refresh token; return what the unit says after its first attempt with it.

    directory: what the role wrote; state: where the units keep their tokens. Raises GrantError, and UnitsError.
    """
    unit, place = f"mail-oauth2@{name}.service", state / name
    # Another refresh token in the inventory wins over what was kept, so what is there now is noted.
    inventory = json.loads((directory / f"{name}.json").read_bytes())["refresh_token"]
    grant = {
        "account": "",
        "given": hashlib.sha256(inventory.encode()).hexdigest(),
        "refresh_token": refresh_token,
    }
    with stopped(unit):
        try:
            owner = place.stat()
            write(place / "grant.json", grant, owner.st_uid, owner.st_gid)
        except OSError as error:
            raise GrantError(describe(error, place)) from None
    # The unit tells of its first attempt before systemd calls it started.
    return systemctl("show", "--property", "StatusText", "--value", unit).strip()


@contextmanager
def stopped(unit: str) -> Iterator[None]:
    """Stop a unit within the block: it has its files in memory, and writes over them."""
    systemctl("stop", unit)
    try:
        yield
    finally:
        systemctl("start", unit)


def write(path: Path, content: Mapping[str, Any], uid: int, gid: int) -> None:
    """Replace a file as a whole with JSON that its owner alone may read."""
    new = beside(path)
    try:
        descriptor = os.open(
            new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, stat.S_IRUSR | stat.S_IWUSR
        )
        with os.fdopen(descriptor, "wb") as file:
            os.fchown(descriptor, uid, gid)
            file.write(json.dumps(content).encode())
            file.flush()
            os.fsync(descriptor)
        new.rename(path)
    finally:
        new.unlink(missing_ok=True)
    sync(path.parent)
