# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Makes a backup: a copy of the house as it is, what it holds, and a snapshot of both in the repository."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import IO, Any

from .config import Config, Place
from .file_copy import copy_tree, remove
from .folder_copy import Change
from .manifest import (
    ABOUT,
    FILES,
    MANIFEST,
    About,
    file_digests,
    look_of,
    owners_of,
    people_of,
    write_json,
    write_person,
)
from .person_copy import copy_person
from .queue_copy import copy_queue
from .restic import RepositoryError, Restic, Snapshot
from .status import Status
from .yesterday import keep_days

Say = Callable[[str], None]

FETCH_PATIENCE = 2.0
"""Seconds for which a fetch that runs is waited for. A longer one is recognised when it is made again."""


def backup(config: Config, restic: Restic, status: Status, say: Say) -> dict[str, Any]:
    """Make a backup and return its figures. Raises RepositoryError, OSError, and BusyError of locked folders."""
    started = time.monotonic()
    change = copy_house(config, say)
    # Whether the repository can be reached or not.
    keep_days(config, date.today(), int(time.time()), say)
    messages = describe_house(config)
    copied = time.monotonic()
    say(
        f"{messages} messages: {change.linked} new, {change.renamed} with other flags, {change.removed} gone; "
        f"copied in {copied - started:.1f} s"
    )
    snapshots = open_repository(config, restic, status, say)
    look, last = look_of(config.copy, config.mail_copy), status.backup.facts
    snapshot, added = last.get("snapshot", ""), 0
    if snapshots and look == last.get("look") and snapshot.startswith(snapshots[-1].id):
        say(f"nothing has changed since snapshot {snapshot}, which is there")
    else:
        paths = [config.copy, *([config.mail_copy] if config.mail_copy.is_dir() else [])]
        summary = restic.backup(paths)
        snapshot, added = summary.get("snapshot_id", ""), summary.get("data_added", 0)
        say(f"snapshot {snapshot}: {added} bytes added")
    return {
        "snapshot": snapshot,
        "look": look,
        "messages": messages,
        "added_bytes": added,
        "seconds": round(time.monotonic() - started, 1),
        "copy_seconds": round(copied - started, 1),
    }


def open_repository(config: Config, restic: Restic, status: Status, say: Say) -> list[Snapshot]:
    """See that the repository opens, and return the host's snapshots in it; a host's first backup makes it.

    One that was there and is not any more is a disk that is not mounted: another one made in its place would fill the
    disk below.
    """
    try:
        return restic.snapshots(config.host)
    except RepositoryError as error:
        if error.fault != "missing":
            raise
    if status.backup.last_success:
        raise RepositoryError("missing", "the repository is not there any more")
    parent = Path(config.local_repository).parent
    if config.local_repository and not parent.is_dir():
        raise RepositoryError("missing", f"{parent}, where the repository is to be made, is not there")
    try:
        restic.call("init")
    except RepositoryError as error:
        if "already contains keys" not in str(error):
            raise
        raise RepositoryError(
            "missing",
            "the repository has keys, but no configuration, as when its making was interrupted; if no backup into it "
            "has ended yet, empty it",
        ) from error
    say("made the repository")
    return []


def copy_house(config: Config, say: Say) -> Change:
    """Bring the copy of the host up to date."""
    change = Change()
    people = people_of(config.mail_directory)
    for person in people:
        # Most of it while fetches go on.
        change += _copy_person(config, person)
    with _fetches_held(config, say):
        # Before the mail: what is fetched in between is recognised, and what is missing would never be fetched again.
        for place in config.places:
            if place.kind == "fetch state":
                _copy_place(config, place)
        for person in people_of(config.mail_directory):
            change += _copy_person(config, person)
    for place in config.places:
        if place.kind != "fetch state":
            _copy_place(config, place)
    _remove_others(config)
    return change


def _copy_person(config: Config, person: str) -> Change:
    stamps = config.state / "stamps" / f"{person}.json"
    return copy_person(config.mail_directory / person, config.mail_copy / person, stamps)


def _copy_place(config: Config, place: Place) -> None:
    target = config.copy / "places" / place.name
    if not place.path.is_dir():
        remove(target)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if place.kind == "queue":
        copy_queue(place.path, target)
    elif place.kind == "fetch state":
        copy_tree(place.path, target, lambda path: path.name in ("lock", "python"))
    else:
        copy_tree(place.path, target)


def _remove_others(config: Config) -> None:
    """Remove people and places from the copy that the host no longer has. Snapshots keep them as long as any."""
    living = set(people_of(config.mail_directory))
    for person in people_of(config.mail_copy):
        if person not in living:
            remove(config.mail_copy / person)
            remove(config.state / "stamps" / f"{person}.json")
    places = config.copy / "places"
    names = {place.name for place in config.places}
    for old in places.iterdir() if places.is_dir() else ():
        if old.name not in names:
            remove(old)


@contextlib.contextmanager
def _fetches_held(config: Config, say: Say) -> Iterator[None]:
    """Keep fetches from beginning for a moment, so that their state and the mail are of one time."""
    held: list[IO[str]] = []
    until = time.monotonic() + FETCH_PATIENCE
    try:
        for place in config.places:
            if place.kind == "fetch state":
                for path in sorted(place.path.glob("*/lock")):
                    if not _hold(path, until, held):
                        say(f"{path.parent.name} is being fetched meanwhile")
        yield
    finally:
        for file in held:
            file.close()


def _hold(path: Path, until: float, held: list[IO[str]]) -> bool:
    # Closed by who holds them.
    file = path.open("r")
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                file.close()
                return False
            time.sleep(0.05)
        else:
            held.append(file)
            return True


def describe_house(config: Config) -> int:
    """Write down what the copy holds; return how many messages that are."""
    manifest = config.copy / MANIFEST
    people = {
        person: write_person(config.mail_copy / person, manifest / person)
        for person in people_of(config.mail_copy)
    }
    for old in people_of(manifest):
        if old not in people:
            remove(manifest / old)
    write_json(config.copy / FILES, file_digests(config.copy))
    users, groups = owners_of([*(config.mail_copy / person for person in people), *config.copy.rglob("*")])
    About(
        host=config.host,
        domain=config.domain,
        mail_directory=str(config.mail_directory),
        mail_copy=str(config.mail_copy),
        copy=str(config.copy),
        made=time.time(),
        users=users,
        groups=groups,
        people=people,
        places={place.name: str(place.path) for place in config.places if place.path.is_dir()},
    ).write(config.copy / ABOUT)
    return sum(people.values())
