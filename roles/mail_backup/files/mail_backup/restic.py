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

Fault = Literal[
    "unreachable", "login", "untrusted", "password", "missing", "full", "locked", "corrupt", "error"
]

REMEDIES: dict[Fault, str] = {
    "unreachable": "see whether the machine with the repository runs and can be reached; it is tried again by itself",
    "login": "see the name and password in mail_backup_repository, the keys in mail_backup_environment or "
    "mail_backup_ssh_key, and what the server lets them do there",
    "untrusted": "unless another machine answers there, write the certificate of the authority that the server's is of "
    "as mail_backup_ca, or the server's SSH keys as mail_backup_ssh_known_hosts",
    "password": "write the password that the repository was made with as mail_backup_password",
    "missing": "mount the disk, or write the right directory or bucket as mail_backup_repository; to begin another "
    "repository, remove /var/lib/mail-backup/status.json",
    "full": "make room where it is full, or keep fewer snapshots (mail_backup_keep_*)",
    "locked": "it is tried again by itself; another host may be working in the repository",
    "corrupt": "see 'restic check' and 'restic repair' (restic's manual, Troubleshooting), or begin another repository",
    "error": "look at the journal of the unit",
}

# What restic, ssh and servers of S3 say on standard error, the most telling first. restic has exit codes for some of it
# since 0.17.
_SAID: tuple[tuple[Fault, str], ...] = (
    ("full", r"no space left on device|disk quota exceeded|file too large|insufficient storage|\b507\b"),
    ("locked", r"already locked|unable to create lock.*locked"),
    ("password", r"wrong password|no key found"),
    ("untrusted", r"x509:|host key verification failed"),
    (
        "login",
        r"\b401 unauthorized|\b403 forbidden|access denied|access key id you provided|signature we calculated|"
        r"no credentials found|permission denied \(",
    ),
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
LOOK = 1.0
"""Seconds after which what restic says meanwhile is looked at again."""
TIMED_OUT = -1
"""Exit code of a program that was ended because it did not answer."""
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


def run(
    command: list[str], environment: dict[str, str], timeout: float | None
) -> subprocess.CompletedProcess[str]:
    """Run a program. One that does not answer within the timeout in seconds, if there is one, is ended.

    restic since 0.17 goes on trying for a quarter of an hour, whatever the fault is; a server that it does not trust is
    not waited for.
    """
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        until = time.monotonic() + (timeout or 0)
        while True:
            try:
                out, said = process.communicate(timeout=LOOK if timeout else None)
            except subprocess.TimeoutExpired as error:
                said = (error.stderr or b"").decode(errors="replace")
                if fault_of(TIMED_OUT, said) != "untrusted" and time.monotonic() < until:
                    continue
                process.kill()
                return subprocess.CompletedProcess(command, TIMED_OUT, "", said)
            return subprocess.CompletedProcess(command, process.returncode, out, said)


Runner = Callable[[list[str], dict[str, str], float | None], "subprocess.CompletedProcess[str]"]


class Restic:
    """restic with one repository. run: how a program is run. gently: whether everything else comes first."""

    def __init__(
        self,
        config: Config,
        access: Access,
        run: Runner = run,
        sleep: Callable[[float], None] = time.sleep,
        *,
        gently: bool = True,
    ) -> None:
        self._gently = gently
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
            done = self._run([*self._command(), *arguments], self._environment(), timeout)
            if done.returncode == 0:
                return done.stdout
            said = self._cleared(done.stderr or done.stdout)
            fault = fault_of(done.returncode, said)
            if done.returncode == TIMED_OUT and not said.strip():
                raise RepositoryError("unreachable", f"it did not answer within {timeout or 0:.0f} s")
            if fault != "locked" or time.monotonic() > until:
                raise RepositoryError(fault, _last_words(said, fault))
            # The lock of a program that is dead keeps everybody out. restic removes those of this host whose process
            # has ended, and what is older than half an hour.
            self._run([*self._command(), "unlock"], self._environment(), timeout)
            self._sleep(pause)
            pause = LOCK_PAUSE

    def _command(self) -> list[str]:
        command = [*(GENTLY if self._gently else ()), "restic", "--quiet"]
        for option, limit in (
            ("--limit-upload", self._config.upload),
            ("--limit-download", self._config.download),
        ):
            if limit:
                command += [option, str(limit)]
        if ca := self._access.ca:
            command += ["--cacert", str(ca)]
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


def _last_words(said: str, fault: Fault) -> str:
    """Return the line that says most: one that tells the fault, a fatal one, or the last."""
    # With --json, restic says its last words in JSON since 0.18.
    told = [str(line["message"]) for line in _lines(said) if line.get("message_type") == "exit_error"]
    lines = [line.strip() for line in "\n".join(told or [said]).splitlines() if line.strip()]
    telling = [line for line in lines if re.search(dict(_SAID).get(fault, "$^"), line, re.IGNORECASE)]
    fatal = [line for line in telling or lines if "fatal" in line.lower()]
    chosen = (fatal or telling or lines or ["restic said nothing"])[-1]
    return " ".join(re.sub(r"^\w+\(.*?\) returned error, retrying after \S+ ", "", chosen).split())[:500]
