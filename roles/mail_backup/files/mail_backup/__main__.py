# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command mail-backup: what the units of the role run, and what a person runs by hand."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from .asked import RefusedError, find_snapshot, read_about
from .backup import backup
from .config import Access, Config
from .drill import DifferenceError, drill
from .locks import BusyError
from .maildir import DamagedError
from .notice import message, send
from .restic import REMEDIES, RepositoryError, Restic
from .restore_house import restore_house
from .restore_person import restore_person
from .status import Status, Work, describe, metrics, shown

# sysexits.h: what systemd tries again, and what somebody has to mend.
EXIT = {
    "unreachable": 75,
    "locked": 75,
    "login": 77,
    "password": 77,
    "untrusted": 78,
    "missing": 78,
    "full": 75,
    "corrupt": 65,
    "wrong": 65,
}
PATIENCE = 36 * 3600.0
"""Seconds since the last success for which nobody is told of a repository that cannot be reached."""


def say(line: str) -> None:
    """Tell the journal."""
    print(line, flush=True)


@contextlib.contextmanager
def alone(config: Config) -> Iterator[None]:
    """Let one program work at a time; others wait for it."""
    config.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (config.state / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waits for another backup, drill or restore to end")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def attempt(work: Work, do: Callable[[], dict[str, Any]], now: Callable[[], float]) -> Work:
    """Do one kind of work, and return how it goes after that."""
    try:
        return work.succeeded(now(), do())
    except RepositoryError as error:
        return work.failed(now(), error.fault, str(error), error.remedy)
    except DifferenceError as error:
        return work.failed(now(), "wrong", str(error), error.remedy)
    except BusyError as error:
        return work.failed(now(), "locked", str(error), "see which program of the house hangs")
    except OSError as error:
        fault = "full" if error.errno in (28, 122) else "error"
        return work.failed(now(), fault, str(error), REMEDIES["full" if fault == "full" else "error"])
    except (DamagedError, sqlite3.Error, ValueError) as error:
        return work.failed(now(), "error", str(error), REMEDIES["error"])


def work_on(
    name: str, config: Config, do: Callable[[Status], dict[str, Any]], now: Callable[[], float]
) -> int:
    """Do a backup or a drill, keep how it went, and tell whom it concerns; return the exit status."""
    with alone(config):
        status = Status.read(config.status)
        work = attempt(getattr(status, name), lambda: do(status), now)
        notice = work.notice(now(), PATIENCE)
        if notice and send(message(name, work, notice, config.host, config.domain, now()), config.domain):
            work = replace(work, told=notice == "stopped")
        status = replace(status, **{name: work})
        status.write(config.status)
        write_metrics(config, status)
    if work.state == "ok":
        return 0
    print(describe(work), file=sys.stderr)
    return EXIT.get(work.state, 1)


def write_metrics(config: Config, status: Status) -> None:
    """Replace the file that the node exporter reads. It is there after a restart of the host as well."""
    beside = config.state / ".metrics.new"
    beside.write_text(metrics(status))
    beside.chmod(0o644)
    beside.replace(config.state / "metrics.prom")


def listing(config: Config, restic: Restic, host: str, wanted: str) -> int:
    """Print the snapshots of a host, or what one of them holds."""
    if wanted:
        about = read_about(config, restic, find_snapshot(restic, host, wanted))
        say(json.dumps({"people": about.people, "places": about.places}, indent=1))
        return 0
    for snapshot in restic.snapshots(host):
        say(f"{snapshot.id}  {snapshot.time[:19]}  {snapshot.host}")
    return 0


def arguments() -> argparse.ArgumentParser:
    """Return what the command takes."""
    parser = argparse.ArgumentParser(
        prog="mail-backup", description="Backs up the mail service, and restores it."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("run", "make a backup"),
        ("drill", "prove the newest one"),
        ("status", "print how it goes"),
    ):
        commands.add_parser(name, help=text)
    one = commands.add_parser("list", help="list the snapshots, or who is in one")
    one.add_argument("snapshot", nargs="?", default="")
    house = commands.add_parser("restore-house", help="what the playbook restore.yml runs")
    house.add_argument("--part", choices=("check", "state", "finish"), required=True)
    house.add_argument("--existing", choices=("refuse", "beside"), default="refuse")
    person = commands.add_parser(
        "restore-person", help="restore a person's mail into a folder beside what is there"
    )
    person.add_argument("person")
    person.add_argument("--folder", default="")
    for restores in (house, person):
        restores.add_argument("--snapshot", default="latest")
    for found in (one, house, person):
        found.add_argument(
            "--host", default="", help="of which host the snapshot is; this one, if it is left out"
        )
    return parser


def command(asked: argparse.Namespace, config: Config) -> int:
    """Do what a person asks, and waits for."""
    restic = Restic(config, Access.read(), gently=False)
    host = asked.host or config.host
    try:
        if asked.command == "list":
            return listing(config, restic, host, asked.snapshot)
        with alone(config):
            if asked.command == "restore-house":
                restore_house(config, restic, host, asked.snapshot, asked.part, asked.existing, say)
            else:
                restore_person(config, restic, host, asked.snapshot, asked.person, asked.folder, say)
    except RefusedError as error:
        print(error, file=sys.stderr)
        return 64  # EX_USAGE
    except RepositoryError as error:
        print(f"{error}; {error.remedy}", file=sys.stderr)
        return EXIT.get(error.fault, 1)
    except (OSError, BusyError, DamagedError) as error:
        print(
            f"{error}; what has been restored stays, and the same command goes on from there", file=sys.stderr
        )
        return 1
    return 0


def main() -> int:
    """Run the command; return the exit status."""
    asked = arguments().parse_args()
    config = Config.read()
    if asked.command == "status":
        say(shown(Status.read(config.status)))
        return 0
    if asked.command not in ("run", "drill"):
        return command(asked, config)
    restic = Restic(config, Access.read())
    if asked.command == "run":
        return work_on("backup", config, lambda status: backup(config, restic, status, say), time.time)
    return work_on("drill", config, lambda __: drill(config, restic, say), time.time)


if __name__ == "__main__":
    sys.exit(main())
