# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of mail_backup."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ansible_collections.ilnmors.mail.plugins.module_utils._site import types
from ansible_collections.ilnmors.mail.plugins.module_utils._site.options import Check, Options
from ansible_collections.ilnmors.mail.plugins.module_utils._site.problems import Report, Unread, Wrong
from ansible_collections.ilnmors.mail.plugins.module_utils._site.readers import Flag, Items, Number, Text
from ansible_collections.ilnmors.mail.plugins.module_utils._site.records import key

_PATH = re.compile(r"(/[\w.@+-]+)+", re.ASCII)
_REMOTE = re.compile(
    r"sftp:(//)?([\w.-]+@)?[\w.-]+(:\d+)?[:/]\S+|"
    r"rest:https?://([^\s/@]+@)?[\w.\[\]:-]+(/\S*)?|"
    r"s3:(https?://)?[\w.\[\]:-]+/[^\s/]+(/\S*)?",
    re.ASCII,
)
# What a unit does not see: its own /tmp, and no homes (systemd.exec(5)). Written to, they would be gone or refused.
_UNSEEN = ("/tmp/", "/var/tmp/", "/home/", "/root/", "/run/", "/dev/", "/proc/", "/sys/")  # noqa: S108


def _is_repository(text: str) -> bool:
    if text.startswith("/"):
        if f"{text}/".startswith(_UNSEEN):
            raise Wrong(
                "lies where the backup's service cannot write",
                "write a path elsewhere, such as '/mnt/backup/mail'",
            )
        return bool(_PATH.fullmatch(text)) and not {".", ".."} & set(text.split("/"))
    return bool(_REMOTE.fullmatch(text))


# An address may hold a password, so it is not shown.
_REPOSITORY: Final = Text(
    "a repository as restic writes it",
    "sftp:backup@nas:/mail",
    _is_repository,
    1_000,
    empty=True,
    secret=True,
)
_PASSWORD: Final = Text("a password", "change-me", types.has_no_edge, 1_000, empty=True, secret=True)
_KEY: Final = Text(
    "a private key in the form of OpenSSH or PEM",
    "-----BEGIN OPENSSH PRIVATE KEY-----…",
    lambda text: text.startswith("-----BEGIN ") and "PRIVATE KEY-----" in text,
    20_000,
    empty=True,
    lines=True,
    secret=True,
)


def _is_authorities(text: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError):
        return False
    return "PRIVATE KEY-----" not in text


_CA: Final = Text(
    "certificates in PEM",
    "-----BEGIN CERTIFICATE-----…",
    _is_authorities,
    100_000,
    empty=True,
    lines=True,
    secret=True,
)
_KNOWN_HOSTS: Final = Text(
    "lines of a known_hosts file",
    "nas ssh-ed25519 AAAA…",
    lambda text: all(
        len(line.split()) >= 3 for line in text.splitlines() if line.strip() and not line.startswith("#")
    ),
    20_000,
    empty=True,
    lines=True,
)
# Whether it is one, systemd says on the host.
_CALENDAR: Final = Text(
    "a calendar event of systemd (systemd.time(7))",
    "*-*-* 03:00:00",
    lambda text: bool(re.fullmatch(r"[A-Za-z0-9*.,/:~ _+-]+", text)),
    100,
)
# What other options say. The last three are unknown to the restic of Debian 12.
_ELSEWHERE: Final = {
    "RESTIC_REPOSITORY": "mail_backup_repository",
    "RESTIC_PASSWORD": "mail_backup_password",
    "RESTIC_CACERT": "mail_backup_ca",
    "RESTIC_REST_USERNAME": "mail_backup_repository with it, as 'rest:https://NAME:PASSWORD@nas:8000/'",
    "RESTIC_REST_PASSWORD": "mail_backup_repository with it, as 'rest:https://NAME:PASSWORD@nas:8000/'",
}
_S3_KEYS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_KEPT: Final = Number(0, 10_000, 7, "snapshots")
_RATE: Final = Number(0, 10_000_000, 1_000, "KiB a second")


@dataclass(frozen=True)
class _Environment(types.Settings):
    """What logs in to the repository."""

    secret = True

    def read(self, value: object, where: str, report: Report) -> Mapping[str, object]:
        """Return the variables, each as a text."""
        found = super().read(value, where, report)
        wrong = dict(filter(None, (_environment_problem(name, item) for name, item in found.items())))
        for name, problem in wrong.items():
            report.add(f"{where}.{name}", problem)
        if wrong:
            raise Unread
        return {name: str(item) for name, item in found.items()}


def _environment_problem(name: str, value: object) -> tuple[str, Wrong] | None:
    if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
        return name, Wrong("is no name of a variable", "write one such as AWS_ACCESS_KEY_ID")
    if option := _ELSEWHERE.get(name.removesuffix("_FILE").removesuffix("_COMMAND")):
        return name, Wrong("is not taken from here", f"write {option}")
    if value is None or value == "":
        return name, Wrong("is empty", "write its value, or leave it out")
    return None


@dataclass(frozen=True)
class MailBackup(Options):
    """The backup of a host."""

    role = "mail_backup"

    domain: str = key(types.DOMAIN, site="mail_domain")
    host: str = key(types.INVENTORY_HOST)
    repository: str = key(_REPOSITORY, "")
    password: str = key(_PASSWORD, "")
    environment: Mapping[str, object] = key(_Environment("AWS_ACCESS_KEY_ID: abc"), {})
    ssh_key: str = key(_KEY, "")
    ssh_known_hosts: str = key(_KNOWN_HOSTS, "")
    ca: str = key(_CA, "")
    schedule: str = key(_CALENDAR)
    drill_schedule: str = key(_CALENDAR)
    keep_daily: int = key(_KEPT)
    keep_weekly: int = key(_KEPT)
    keep_monthly: int = key(_KEPT)
    upload_limit: int = key(_RATE)
    download_limit: int = key(_RATE)
    check_percent: int = key(Number(1, 100, 5, "percent"))
    max_age: int = key(Number(1, 100_000, 36, "hours"))
    drill_max_age: int = key(Number(1, 10_000, 9, "days"))
    directories: tuple[str, ...] = key(Items(types.CERTIFICATE_DIRECTORY, "[/etc/ssl/mine]"), ())
    yesterday: bool = key(Flag())
    yesterday_days: int = key(Number(1, 31, 3, "days"))
    metrics_directory: str = key(types.METRICS_DIRECTORY, "", site="mail_monitoring_directory")
    mail_directory: str = key(types.MAIL_DIRECTORY, site="mail_store_directory")

    def checks(self) -> Iterator[Check]:
        """Yield the checks that look at several options."""
        yield self._password_problems
        yield self._place_problems
        yield self._server_problems
        yield self._keep_problems
        yield self._yesterday_problems

    def _password_problems(self) -> Iterator[str]:
        if self.repository and not self.password:
            yield f"{self.name('password')}: is empty, but a repository is named; write what is to encrypt it"

    def _place_problems(self) -> Iterator[str]:
        """Refuse a repository that is lost with the mail, or that is backed up into itself."""
        mine = f"{self.repository.rstrip('/')}/"
        for other in (self.mail_directory, "/var/lib/mail-backup", *self.directories):
            theirs = f"{other.rstrip('/')}/"
            if self.repository.startswith("/") and (mine.startswith(theirs) or theirs.startswith(mine)):
                yield (
                    f"{self.name('repository')}: lies in {other}, or around it, which is backed up; write a path "
                    "on another disk"
                )

    def _server_problems(self) -> Iterator[str]:
        if self.repository.startswith("sftp:") and not self.ssh_known_hosts.strip():
            yield (
                f"{self.name('ssh_known_hosts')}: is empty, but the repository is reached by SSH; write what "
                "ssh-keyscan prints of its server"
            )
        missing = [name for name in _S3_KEYS if name not in self.environment]
        if self.repository.startswith("s3:") and missing:
            yield (
                f"{self.name('environment')}: has no {' and no '.join(missing)}, but the repository is one of S3; "
                "write what its server gives"
            )

    def _keep_problems(self) -> Iterator[str]:
        if self.repository and not (self.keep_daily or self.keep_weekly or self.keep_monthly):
            yield f"{self.name('keep_daily')}: is 0, as the others are, so that nothing would be kept; write 1 at least"

    def _yesterday_problems(self) -> Iterator[str]:
        if self.yesterday and not self.repository:
            yield (
                f"{self.name('yesterday')}: is true, but no backup is made, which these folders are made of; write "
                f"{self.name('repository')} and {self.name('password')}, or false"
            )
