# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role says of a host's backup, and where everything is kept."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

CONFIG = Path("/etc/mail-backup/backup.json")
DOVECOT = Path("/etc/mail-backup/dovecot.conf")
"""By which Dovecot opens the mailbox that a drill has restored."""
CREDENTIALS = Path("/etc/mail-backup/credentials")
"""Where a person's own command finds what systemd hands to the units."""

Kind = Literal["directory", "queue", "fetch state"]


@dataclass(frozen=True)
class Place:
    """A directory beside the mail store. It is backed up on a host that has it."""

    name: str
    path: Path
    kind: Kind = "directory"


@dataclass(frozen=True)
class Config:
    """What the role says.

    host: its name in the inventory. keep: how many snapshots of each kind, such as daily. upload, download: limits in
    KiB/s, 0 for none. check_percent: what part of the repository's data is read by a drill. doveadm_options: what
    doveadm's commands take on this release, to open a mailbox that is no user's. yesterday_days: how many days are kept
    in folders of their owners, 0 for none.
    """

    host: str
    domain: str
    mail_directory: Path
    places: tuple[Place, ...]
    keep: dict[str, int]
    upload: int = 0
    download: int = 0
    check_percent: int = 5
    local_repository: str = ""
    doveadm_options: tuple[str, ...] = ()
    yesterday_days: int = 0
    state: Path = Path("/var/lib/mail-backup")
    cache: Path = Path("/var/cache/mail-backup")

    @classmethod
    def read(cls, path: Path = CONFIG) -> Config:
        """Read the file of the role."""
        values = json.loads(path.read_text("utf-8"))
        return cls(
            **{
                **values,
                "mail_directory": Path(values["mail_directory"]),
                "doveadm_options": tuple(values["doveadm_options"]),
                "places": tuple(
                    Place(place["name"], Path(place["path"]), place["kind"]) for place in values["places"]
                ),
            }
        )

    @property
    def beside(self) -> Path:
        """The directory beside the mail, on its file system."""
        return self.mail_directory / ".mail-backup"

    @property
    def mail_copy(self) -> Path:
        """Where the copy of the mail lies: hard links."""
        return self.beside / "current"

    @property
    def yesterday(self) -> Path:
        """Where people find the mail of the last days (the role dovecot_imap has Dovecot read it)."""
        return self.mail_directory / ".yesterday"

    @property
    def copy(self) -> Path:
        """Where the copy of everything else lies."""
        return self.state / "current"

    @property
    def drill(self) -> Path:
        """Where a drill restores to."""
        return self.state / "drill"

    @property
    def opened(self) -> Path:
        """Where a drill puts the home of a person whose mailbox Dovecot opens (see DOVECOT)."""
        return self.drill / "opened"

    @property
    def status(self) -> Path:
        """The file that tells how it goes."""
        return self.state / "status.json"


@dataclass(frozen=True)
class Access:
    """What the repository is opened with. None of it is ever shown: an address may hold a password."""

    repository: str
    environment: dict[str, str]
    directory: Path

    @classmethod
    def read(cls) -> Access:
        """Read the credentials of the unit, or the files that they come from."""
        directory = Path(os.environ.get("CREDENTIALS_DIRECTORY", CREDENTIALS))
        values = json.loads((directory / "access").read_text("utf-8"))
        return cls(values["repository"], values["environment"], directory)

    @property
    def password_file(self) -> Path:
        """The file that holds the repository's password."""
        return self.directory / "password"

    @property
    def ssh_key(self) -> Path | None:
        """The file of the key that logs in by SSH, if there is one."""
        return self._given("ssh_key")

    @property
    def ca(self) -> Path | None:
        """The file of the authorities that a server's certificate is of, if it is not one that the system trusts."""
        return self._given("ca")

    @property
    def known_hosts(self) -> Path:
        """The file of the keys of SSH servers."""
        return self.directory / "known_hosts"

    def _given(self, name: str) -> Path | None:
        path = self.directory / name
        return path if path.is_file() and path.stat().st_size else None
