"""A backup apart from the house's own: by the same program and units, with a repository and a memory of its own."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

from ansible_collections.ilnmors.mail.tests.behaviour.support.house import wait_for
from testinfra.backend.base import CommandResult
from testinfra.host import Host

PLACE = "/srv/apart"
DISK = f"{PLACE}/disk"
"""A disk of its own, in memory."""
REPOSITORY = f"{DISK}/house"
MORE = f"{PLACE}/more"
"""A directory that is backed up, too, for tests to fill."""
PASSWORD = "apart-password"
BACKUP, DRILL = "mail-backup.service", "mail-backup-drill.service"
STORE = r"""
import hashlib, json, pathlib, sys
root = pathlib.Path(sys.argv[1])
found = [path for part in ("cur", "new") for path in root.glob(f"[!.]*/*/Maildir/**/{part}/*")]
names = [str(path.parent.parent.relative_to(root) / path.name.partition(":")[0]) for path in found]
print(json.dumps(dict(zip(names, [hashlib.sha256(path.read_bytes()).hexdigest() for path in found]))))
"""


@dataclass(frozen=True)
class Apart:
    """Where such a backup is kept on a host: what the house's own keeps in /etc and /var, it keeps in a directory."""

    host: Host
    directory: str = PLACE

    def prepare(self, **changes: Any) -> None:
        """Make it, or change what its program is told (the role's backup.json)."""
        directory = self.directory
        self.host.check_output(
            f"umask 077; mkdir -p {MORE} {directory}/state {directory}/cache {directory}/run"
        )
        self.host.check_output(f"cp -a /etc/mail-backup/credentials {directory}/")
        values = json.loads(self.host.file("/etc/mail-backup/backup.json").content)
        values["places"].append({"name": "more", "path": MORE, "kind": "directory"})
        values |= {"host": "apart", "local_repository": REPOSITORY}
        self._write("backup.json", json.dumps(values | changes))
        self.access()

    def prepare_bare(self) -> None:
        """Make it, with a house of its own that has nothing yet, in directories below this one."""
        self.prepare()
        values = json.loads(self.host.file(f"{self.directory}/backup.json").content)
        places = [place | {"path": f"{self.directory}/places/{place['name']}"} for place in values["places"]]
        self.prepare(mail_directory=self.store, places=places)

    def forget_the_restore(self) -> None:
        """Let a restore that is made again be one of its own."""
        self.host.check_output(f"rm {self.directory}/state/restoring.json")

    @property
    def store(self) -> str:
        """Where a bare one has its mail."""
        return f"{self.directory}/vmail"

    def access(self, repository: str = REPOSITORY, password: str = PASSWORD, ca: str = "") -> None:
        """Say which repository is opened, by which password, and whose certificates alone are trusted, in PEM."""
        self._write("credentials/access", json.dumps({"repository": repository, "environment": {}}))
        self._write("credentials/password", password)
        self._write("credentials/ca", ca)

    def _write(self, name: str, content: str) -> None:
        self.host.check_output("umask 077; printf %%s %s >%s", content, f"{self.directory}/{name}")

    def _properties(self) -> list[str]:
        """Return what puts this in the place of the house's own for one unit, whose hardening stays as it is."""
        binds = {"state": "/var/lib", "cache": "/var/cache", "run": "/run"}
        return [
            *(f"BindPaths={self.directory}/{part}:{above}/mail-backup" for part, above in binds.items()),
            f"BindReadOnlyPaths={self.directory}/backup.json:/etc/mail-backup/backup.json",
            f"ReadWritePaths=-{DISK}",
            *(
                f"LoadCredential={name}:{self.directory}/credentials/{name}"
                for name in ("password", "access", "ssh_key", "known_hosts", "ca")
            ),
        ]

    # --- the units

    def take_the_units(self) -> None:
        """Let the house's units work for this backup."""
        lines = "\n".join(["[Service]", *self._properties(), ""])
        for unit in (BACKUP, DRILL):
            self.host.check_output("mkdir -p /run/systemd/system/%s.d", unit)
            self.host.check_output("printf %%s %s >/run/systemd/system/%s.d/apart.conf", lines, unit)
        self.host.check_output("systemctl daemon-reload")

    def give_the_units_back(self) -> None:
        """Let them work for the house's own again, and remove this one."""
        self.host.check_output(
            f"systemctl stop {BACKUP} {DRILL}; systemctl reset-failed 'mail-backup*'; "
            f"rm -rf /run/systemd/system/{BACKUP}.d /run/systemd/system/{DRILL}.d; systemctl daemon-reload; "
            f"! mountpoint -q {DISK} || umount -l {DISK}; rm -rf {PLACE}"
        )

    def run(self, unit: str = BACKUP) -> dict[str, Any]:
        """Run a unit to its end, and return how that went (see mail-backup status)."""
        # One that waits to be tried again starts at its own time with older systemd.
        self.host.run("systemctl stop %s", unit)
        self.host.run("systemctl start %s", unit)
        found: dict[str, Any] = self.status()["drill" if unit == DRILL else "backup"]
        return found

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.host.file(f"{self.directory}/state/status.json").content)
        return found

    def killed(self, unit: str, seconds: float) -> None:
        """Start a unit, and kill all that it runs after some seconds, as when a machine dies."""
        self.host.run(f"systemctl stop {unit}; systemctl start --no-block {unit}; sleep {seconds:.2f}")
        self.kill(unit)

    def kill(self, unit: str) -> None:
        self.host.run(f"systemctl kill --signal KILL {unit}")
        wait_for(
            lambda: self.host.run(f"systemctl show -P MainPID {unit}").stdout.strip() == "0",
            f"the end of {unit}",
        )

    def journal(self, since: float) -> str:
        """Return what the units have said."""
        return str(
            self.host.check_output(f"journalctl -o cat --since @{since:.0f} --unit {BACKUP} --unit {DRILL}")
        )

    # --- the command

    def command(self, *words: str) -> CommandResult:
        """Run the command as a person does, with this backup in the place of the house's own."""
        return self.host.run(f"{self._command('--wait', '--pipe')} {shlex.join(words)}")

    def killed_command(self, seconds: float, *words: str) -> None:
        """Start the command, and kill all that it runs after some seconds."""
        unit = "mail-backup-apart.service"
        self.host.check_output(f"{self._command('--unit', unit)} {shlex.join(words)}; sleep {seconds:.2f}")
        self.kill(unit)

    def _command(self, *options: str) -> str:
        properties = [word for line in self._properties() for word in ("-p", line)]
        return shlex.join(
            ["systemd-run", "--quiet", "--collect", *options, *properties, "/usr/local/sbin/mail-backup"]
        )


def messages_of(host: Host, store: str) -> dict[str, str]:
    """Return the digest of each message in a mail store, by its folder and the part of its name that stays."""
    found: dict[str, str] = json.loads(host.check_output("python3 -c %s %s", STORE, store))
    return found
