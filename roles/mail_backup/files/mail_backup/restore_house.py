# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restores a whole house onto a host: what lies in the mail store, and everything beside it."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from .asked import RefusedError, find_snapshot, has_messages, read_about
from .config import Config
from .file_copy import copy_file, copy_tree, remove
from .manifest import About, read_json, write_json
from .owners import Owners, make_users
from .restic import Restic, Snapshot
from .restore_person import make_like, put_beside, put_home

Say = Callable[[str], None]

QUEUE = "queue"


class HouseRestore:
    """A restore of a snapshot onto this host. One that was interrupted goes on when it is made again."""

    def __init__(self, config: Config, restic: Restic, snapshot: Snapshot, say: Say) -> None:
        self._config = config
        self._restic = restic
        self._snapshot = snapshot
        self._say = say
        self.about = read_about(config, restic, snapshot)
        self._journal = config.state / "restoring.json"
        self._scratch = config.beside / "restoring"

    def done(self) -> list[str]:
        """Return the people whose mail an interrupted restore of the same snapshot has put in place."""
        journal = read_json(self._journal)
        return list(journal.get("done", [])) if journal.get("snapshot") == self._snapshot.id else []

    def _places_done(self) -> bool:
        """Whether it has put everything else in place: the house may have gone on from there."""
        return read_json(self._journal).get("snapshot") == self._snapshot.id

    def _note(self, done: list[str]) -> None:
        write_json(self._journal, {"snapshot": self._snapshot.id, "done": done})

    def refuse_existing(self) -> None:
        """Refuse if a person has mail here already."""
        done = self.done()
        met = [
            person
            for person in self.about.people
            if person not in done and has_messages(self._config.mail_directory / person)
        ]
        if met:
            names = ", ".join(met[:5]) + ("" if len(met) <= 5 else f" and {len(met) - 5} more")
            raise RefusedError(
                f"{self._config.mail_directory} has mail of {names} already, which may be newer; restore onto a bare "
                "host, or have the snapshot's mail put beside it (-e restore_existing=beside)"
            )

    def mail_and_state(self) -> None:
        """Restore people's mail, and every place but the queue, before anything runs."""
        make_users(self.about)
        owners = Owners(self.about)
        self._config.mail_directory.mkdir(parents=True, exist_ok=True)
        done = self.done()
        if not self._places_done():
            self._places(owners, lambda name: name != QUEUE)
            self._note(done)
        for person in self.about.people:
            if person not in done:
                self._person(owners, person)
                done.append(person)
                self._note(done)
        remove(self._scratch)

    def finish(self) -> None:
        """Restore the mail that waited, and what clients count, once Postfix and Dovecot are there."""
        for person in self.done():
            raise_change_numbers(person, int(time.time()))
        if QUEUE in self.about.places and Path("/usr/sbin/postsuper").exists():
            run("systemctl", "stop", "postfix.service")
            try:
                self._places(Owners(self.about), lambda name: name == QUEUE)
                # Names of files hold their inodes, which are others now (postsuper(1)).
                run("/usr/sbin/postsuper", "-s")
            finally:
                run("systemctl", "start", "postfix.service")
        self._journal.unlink(missing_ok=True)

    def _places(self, owners: Owners, wanted: Callable[[str], bool]) -> None:
        names = [name for name in self.about.places if wanted(name)]
        if not names:
            return
        scratch = self._config.state / "restoring"
        remove(scratch)
        self._restic.restore(
            self._snapshot.id, scratch, [f"{self.about.copy}/places/{name}" for name in names]
        )
        here = {place.name: place for place in self._config.places}
        for name in names:
            source = scratch / self.about.copy.lstrip("/") / "places" / name
            place = here.get(name)
            if place is None or not source.is_dir():
                continue
            owners.give_back(source)
            if place.kind == "fetch state":
                # It names the host that fetches, which was another one.
                for marker in source.glob("*/host"):
                    marker.unlink()
            self._keep_old(place.path, name)
            if name == QUEUE:
                add_tree(source, place.path)
            else:
                copy_tree(source, place.path)
            self._say(f"restored {place.path}")
        remove(scratch)

    def _keep_old(self, path: Path, name: str) -> None:
        """Keep what is there already, once for each restore."""
        if name != QUEUE and path.is_dir() and any(path.iterdir()):
            kept = self._config.state / "replaced" / time.strftime("%Y-%m-%d") / name
            if not kept.exists():
                kept.mkdir(parents=True, mode=0o700)
                copy_tree(path, kept)

    def _person(self, owners: Owners, person: str) -> None:
        remove(self._scratch)
        self._restic.restore(self._snapshot.id, self._scratch, [f"{self.about.mail_copy}/{person}"])
        home = self._scratch / self.about.mail_copy.lstrip("/") / person
        if not home.is_dir():
            return
        owners.give_back(home)
        live = self._config.mail_directory / person
        if has_messages(live):
            put_beside(home, live, self._snapshot)
        else:
            put_home(home, live)
        self._say(f"restored {self.about.people[person]} messages of {person}")


def raise_change_numbers(person: str, least: int) -> None:
    """Let the next change in each folder have a higher number than any before (HIGHESTMODSEQ of RFC 7162).

    A client that remembers a higher one than the restored folder has would not be told of changes.
    """
    domain, __, name = person.partition("/")
    user = f"{name}@{domain}"
    if not shutil.which("doveadm"):
        return
    listed = subprocess.run(
        ["doveadm", "mailbox", "list", "-u", user], capture_output=True, text=True, check=False
    )
    for folder in listed.stdout.splitlines():
        # A name alone, without messages, has no such number.
        subprocess.run(
            ["doveadm", "mailbox", "update", "-u", user, "--min-highest-modseq", str(least), folder],
            capture_output=True,
            check=False,
        )


def run(*command: str) -> None:
    """Run a program that has to succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{command[0]} failed: {done.stderr.strip()[-500:]}")


def add_tree(source: Path, target: Path) -> None:
    """Add files to a directory, and leave alone what is there."""
    for path in sorted(source.rglob("*")):
        there = target / path.relative_to(source)
        if path.is_dir():
            # The directories that a queue is spread over belong to who has the queue.
            if not there.is_dir():
                make_like(there, there.parent)
        elif not there.exists():
            copy_file(path, there)


def restore_house(
    config: Config, restic: Restic, host: str, wanted: str, part: str, existing: str, say: Say
) -> None:
    """Restore a host. part: check, state or finish, in this order. existing: refuse, or beside."""
    snapshot = find_snapshot(restic, host, wanted)
    restore = HouseRestore(config, restic, snapshot, say)
    if part == "finish":
        restore.finish()
        return
    if existing != "beside":
        restore.refuse_existing()
    if part == "check":
        say(describe(restore.about, snapshot))
        return
    restore.mail_and_state()


def describe(about: About, snapshot: Snapshot) -> str:
    """Say in a line what a snapshot is."""
    return (
        f"snapshot {snapshot.id} of {about.host}, {snapshot.time[:19]}: {sum(about.people.values())} messages of "
        f"{len(about.people)} people; {', '.join(about.places) or 'nothing else'}"
    )
