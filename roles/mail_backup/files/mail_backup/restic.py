# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs restic, and says in plain words why it failed.

Each start of restic derives the key from the password anew, which takes half a second or more: it is made to.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .config import Access, Config

Fault = Literal["unreachable", "password", "missing", "full", "locked", "corrupt", "error"]

REMEDIES: dict[Fault, str] = {
    "unreachable": "see whether the machine with the repository runs and can be reached; it is tried again by itself",
    "password": "write the password that the repository was made with as mail_backup_password",
    "missing": "mount the disk, or restore the directory, that mail_backup_repository names",
    "full": "make room where it is full, or keep fewer snapshots (mail_backup_keep_*)",
    "locked": "it is tried again by itself; another host may be working in the repository",
    "corrupt": "see 'restic check' and 'restic repair' (restic's manual, Troubleshooting), or begin another repository",
    "error": "look at the journal of the unit",
}

# What restic and ssh say on standard error, the most telling first. restic has exit codes for some of it since 0.17.
_SAID: tuple[tuple[Fault, str], ...] = (
    ("full", r"no space left on device|disk quota exceeded|file too large|insufficient storage|\b507\b"),
    ("locked", r"already locked|unable to create lock.*locked"),
    ("password", r"wrong password|no key found"),
    (
        "unreachable",
        r"connection refused|no such host|i/o timeout|connection timed out|no route to host|"
        r"network is unreachable|ssh: connect|subprocess ssh exited|unable to start the sftp|connection reset|"
        r"server misbehaving|tls handshake|context deadline|temporary failure|transport endpoint|stale file handle|"
        r"connection closed|\b50[234]\b",
    ),
    ("missing", r"is there a repository|repository does not exist|unable to open config file"),
    (
        "corrupt",
        r"ciphertext verification failed|does not match|invalid data returned|unexpected eof|"
        r"repository contains errors|pack .*(damaged|not found|does not exist)|checksum|not referenced|truncated|"
        r"wrong (size|length)|unexpected (pack )?size|blob .*not found|id not found|file does not exist",
    ),
)
_CODES: dict[int, Fault] = {10: "missing", 11: "locked", 12: "password"}
GENTLY = ("nice", "-n", "19", "ionice", "-c", "3")
"""The house comes first. The copy is made as fast as may be: while it is, folders are locked."""
ANSWER = 120.0
"""Seconds in which a repository that can be reached answers."""
LOCK_PATIENCE = 600.0
"""Seconds for which another's lock is waited for."""
LOCK_PAUSE = 10.0


class RepositoryError(Exception):
    """The repository could not be used. fault: why, in one word; the message has restic's own words."""

    def __init__(self, fault: Fault, said: str) -> None:
        super().__init__(said)
        self.fault = fault

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return REMEDIES[self.fault]


def fault_of(code: int, said: str) -> Fault:
    """Return why restic failed, from its exit code and what it said."""
    if code in _CODES:
        return _CODES[code]
    return next((fault for fault, words in _SAID if re.search(words, said, re.IGNORECASE)), "error")


@dataclass(frozen=True)
class Snapshot:
    """One backup in the repository. time: as restic writes it (RFC 3339)."""

    id: str
    time: str
    host: str
    paths: tuple[str, ...]


def _run(
    command: list[str], environment: dict[str, str], timeout: float | None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        check=False,
    )


Runner = Callable[[list[str], dict[str, str], float | None], "subprocess.CompletedProcess[str]"]


class Restic:
    """restic with one repository. run: how a program is run."""

    def __init__(
        self,
        config: Config,
        access: Access,
        run: Runner = _run,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._config = config
        self._access = access
        self._run = run
        self._sleep = sleep

    def call(self, *arguments: str, timeout: float | None = None) -> str:
        """Run a command of restic's and return what it prints. Raises RepositoryError.

        timeout: seconds, None for as long as it takes.
        """
        until = time.monotonic() + LOCK_PATIENCE
        pause = 0.0
        while True:
            try:
                done = self._run([*self._command(), *arguments], self._environment(), timeout)
            except subprocess.TimeoutExpired as error:
                raise RepositoryError("unreachable", f"it did not answer within {timeout:.0f} s") from error
            if done.returncode == 0:
                return done.stdout
            said = self._cleared(done.stderr or done.stdout)
            fault = fault_of(done.returncode, said)
            if fault != "locked" or time.monotonic() > until:
                raise RepositoryError(fault, _last_words(said))
            # The lock of a program that is dead keeps everybody out. restic removes those of this host whose process
            # has ended, and what is older than half an hour.
            self._run([*self._command(), "unlock"], self._environment(), timeout)
            self._sleep(pause)
            pause = LOCK_PAUSE

    def _command(self) -> list[str]:
        command = [*GENTLY, "restic", "--quiet"]
        for option, limit in (
            ("--limit-upload", self._config.upload),
            ("--limit-download", self._config.download),
        ):
            if limit:
                command += [option, str(limit)]
        if self._access.repository.startswith("sftp:"):
            command += ["-o", f"sftp.command={self._ssh()}"]
        return command

    def _ssh(self) -> str:
        """Return the command that restic talks SFTP to. No question is asked, and no unknown server is trusted."""
        address = self._access.repository.removeprefix("sftp:")
        if address.startswith("//"):
            server, __, port = address[2:].partition("/")[0].partition(":")
        else:
            server, port = address.partition(":")[0], ""
        words = [
            "ssh",
            "-F",
            "none",
            "-o",
            "BatchMode=yes",
            "-o",
            "ConnectTimeout=20",
            "-o",
            "ServerAliveInterval=30",
        ]
        words += ["-o", f"UserKnownHostsFile={self._access.known_hosts}", "-o", "StrictHostKeyChecking=yes"]
        if key := self._access.ssh_key:
            words += ["-i", str(key), "-o", "IdentitiesOnly=yes"]
        words += ["-p", port] if port else []
        return " ".join([*words, server, "-s", "sftp"])

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
            "HOME": str(self._config.state),
            "LANG": "C.UTF-8",
            "TMPDIR": os.environ.get("TMPDIR", "/tmp"),  # noqa: S108 - the unit's own
            **self._access.environment,
            "RESTIC_REPOSITORY": self._access.repository,
            "RESTIC_PASSWORD_FILE": str(self._access.password_file),
            "RESTIC_CACHE_DIR": str(self._config.cache),
        }

    def _cleared(self, said: str) -> str:
        """Take out what may be secret: the repository's address, and the values of its environment."""
        for secret in (self._access.repository, *self._access.environment.values()):
            said = said.replace(secret, "…") if secret else said
        return re.sub(r"://[^/@\s]*@", "://…@", said)

    # --- what is asked of it

    def snapshots(self, host: str = "") -> list[Snapshot]:
        """Return the snapshots of a host, or of all, the oldest first. Raises RepositoryError soon."""
        chosen = ["--host", host] if host else []
        # restic itself goes on trying for a quarter of an hour.
        printed = self.call("snapshots", "--json", "--tag", TAG, *chosen, timeout=ANSWER)
        found: list[dict[str, Any]] = json.loads(printed or "null") or []
        return sorted(
            (Snapshot(one["short_id"], one["time"], one["hostname"], tuple(one["paths"])) for one in found),
            key=lambda one: one.time,
        )

    def backup(self, paths: list[Path]) -> dict[str, Any]:
        """Make a snapshot; return restic's summary of it."""
        # No file of the copy is ever changed: another one takes its place. Only links to it change its time.
        printed = self.call(
            "backup", "--json", "--tag", TAG, "--host", self._config.host, "--ignore-ctime", *map(str, paths)
        )
        return next((line for line in _lines(printed) if line.get("message_type") == "summary"), {})

    def restore(self, snapshot: str, target: Path, include: Iterable[str]) -> None:
        """Restore parts of a snapshot below a directory."""
        chosen = [word for path in include for word in ("--include", _literally(path))]
        self.call("restore", snapshot, "--target", str(target), *chosen)


TAG = "ilnmors-mail"


def _literally(path: str) -> str:
    """Return a path as a pattern of restic's that matches it alone."""
    return re.sub(r"([\\*?\[])", r"\\\1", path)


def _lines(printed: str) -> Iterator[dict[str, Any]]:
    for line in printed.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            yield found


def _last_words(said: str) -> str:
    """Return the line that says most: a fatal one, or the last."""
    # With --json, restic says its last words in JSON since 0.18.
    told = [str(line["message"]) for line in _lines(said) if line.get("message_type") == "exit_error"]
    lines = [line.strip() for line in "\n".join(told or [said]).splitlines() if line.strip()]
    fatal = [line for line in lines if "fatal" in line.lower()]
    return " ".join((fatal or lines or ["restic said nothing"])[-1].split())[:500]
