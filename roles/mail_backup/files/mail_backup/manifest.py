# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a backup records of itself, so that a drill can prove what comes back: counts, UIDs, flags and digests."""

from __future__ import annotations

import grp
import hashlib
import json
import os
import pwd
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .file_copy import remove
from .folder_copy import list_messages_at_rest, stamp_of
from .maildir import PARTS, UIDLIST, flags_of, read_uid_list
from .person_copy import MAILDIR, folders_of

ABOUT = "about.json"
FILES = "files.json"
"""What is no message: of the host, and of each person. A folder has a dot at the start of its name."""
MANIFEST = "manifest"
INBOX = "INBOX"
VERSION = 1

Message = list[Any]
"""UID (0 for none), flags, SHA-256, size in bytes, time of arrival in seconds since 1970."""


def people_of(directory: Path) -> list[str]:
    """Return the people who have a directory in a mail store, as DOMAIN/NAME."""
    return sorted(
        f"{domain.name}/{person.name}"
        for domain in directory.glob("[!.]*")
        if domain.is_dir() and not domain.is_symlink()
        for person in domain.iterdir()
        if person.is_dir() and not person.is_symlink() and not person.name.startswith(".")
    )


def folder_manifest(folder: Path, known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what a folder at rest holds. known: its last manifest, whose digests are taken for files that stay."""
    before: Mapping[str, Message] = (known or {}).get("messages", {})
    uid_list = read_uid_list(folder / UIDLIST)
    uids = uid_list.uids if uid_list else {}
    messages: dict[str, Message] = {}
    for base, (part, name) in sorted(list_messages_at_rest(folder).items()):
        if base in before:
            __, __, digest, size, arrived = before[base]
        else:
            digest, state = _read(f"{folder}/{part}/{name}")
            size, arrived = state.st_size, int(state.st_mtime)
        messages[base] = [uids.get(base, 0), flags_of(name), digest, size, arrived]
    return {
        "validity": uid_list.validity if uid_list else 0,
        "next_uid": uid_list.next_uid if uid_list else 1,
        "messages": messages,
    }


def digest_of(path: Path | str) -> str:
    """Return the SHA-256 of a file."""
    return _read(path)[0]


def _read(path: Path | str) -> tuple[str, os.stat_result]:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - a hundred thousand files
        found = hashlib.sha256()
        while part := file.read(AT_ONCE):
            found.update(part)
        return found.hexdigest(), os.fstat(file.fileno())


AT_ONCE = 64 * 1024
"""How many bytes of a file are read at once: most messages are smaller."""


def write_person(copy: Path, manifest: Path) -> int:
    """Record what the copy of a person holds, folder by folder; return how many messages that are."""
    manifest.mkdir(parents=True, exist_ok=True)
    maildir, count, names = copy / MAILDIR, 0, set()
    for folder in folders_of(maildir):
        name = f"{INBOX if folder == maildir else folder.name}.json"
        names.add(name)
        known = read_json(manifest / name)
        stamp = stamp_of(folder)
        if not stamp or known.get("stamp") != stamp:
            known = {"stamp": stamp, **folder_manifest(folder, known)}
            write_json(manifest / name, known)
        count += len(known["messages"])
    write_json(manifest / FILES, person_files(copy))
    names.add(FILES)
    for old in manifest.iterdir():
        if old.name not in names:
            remove(old)
    return count


def person_files(home: Path) -> dict[str, str]:
    """Return the digest of each file of a person that is no message, by its path there; of a link, where it leads."""
    found: dict[str, str] = {}
    for above, folders, files in os.walk(home):
        if f"/{MAILDIR}" in above:
            folders[:] = [name for name in folders if name not in (*PARTS, "tmp")]
        for name in files:
            path = Path(above, name)
            link = f"-> {path.readlink()}" if path.is_symlink() else ""
            found[str(path.relative_to(home))] = link or digest_of(path)
    return found


def recorded_folders(manifest: Path) -> dict[str, dict[str, Any]]:
    """Return what was recorded of each folder of a person, by the names of their directories."""
    paths = [path for path in manifest.glob("*.json") if path.name != FILES]
    return {path.name.removesuffix(".json"): read_json(path) for path in paths}


def read_json(path: Path) -> dict[str, Any]:
    """Return a dictionary of a file; an empty one for a file that is missing or damaged."""
    with suppress(OSError, ValueError):
        found = json.loads(path.read_bytes())
        if isinstance(found, dict):
            return found
    return {}


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Replace a file as a whole."""
    beside = path.with_name(f".{path.name[:200]}.new")
    beside.write_text(json.dumps(values, separators=(",", ":")), "utf-8")
    beside.chmod(0o600)
    beside.replace(path)


def file_digests(directory: Path) -> dict[str, str]:
    """Return the digest of each file below a directory, by its path there, but of what records them."""
    return {
        str(path.relative_to(directory)): digest_of(path)
        for path in sorted(directory.rglob("*"))
        if path.is_file()
        and not path.is_symlink()
        and path.relative_to(directory).parts[0] not in (MANIFEST, ABOUT, FILES)
    }


def look_of(copy: Path, mail_copy: Path) -> str:
    """Return a digest of how the copy of a host looks: as long as it stays, nothing has changed.

    Instead of the files of messages, the directories that they are in are looked at, which change with them. Left out
    is what records the copy, and is written anew each time.
    """
    found = hashlib.sha256()
    for top in (copy, mail_copy):
        for above, folders, files in os.walk(top):
            if above == str(copy):
                folders[:] = [name for name in folders if name != MANIFEST]
                files = [name for name in files if name not in (ABOUT, FILES)]
            folders.sort()
            state = os.lstat(above)
            if top == mail_copy and above.rpartition("/")[2] in PARTS:
                _add(found, above, state, state.st_ino, state.st_mtime_ns)
                continue
            _add(found, above, state)
            for name in sorted(files):
                state = os.lstat(f"{above}/{name}")
                _add(found, name, state, state.st_size, state.st_mtime_ns)
    return found.hexdigest()


def _add(found: hashlib._Hash, name: str, state: os.stat_result, *more: int) -> None:
    found.update(repr((name, state.st_mode, state.st_uid, state.st_gid, *more)).encode())


# --- the whole


@dataclass(frozen=True)
class About:
    """What a snapshot says of itself.

    users, groups: the names of the owners' numbers, which may be others where it is restored. people: how many
    messages each has. places: the directories beside the mail store, by their names.
    """

    host: str
    domain: str
    mail_directory: str
    mail_copy: str
    copy: str
    made: float
    users: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    people: dict[str, int] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    version: int = VERSION

    @classmethod
    def read(cls, path: Path) -> About:
        """Read it from a file of a snapshot."""
        values = json.loads(path.read_bytes())
        if values.get("version") != VERSION:
            raise ValueError(
                f"{path} is of version {values.get('version')}, which this program does not know"
            )
        return cls(**values)

    def write(self, path: Path) -> None:
        """Write it to a file of the copy."""
        write_json(path, asdict(self))


def owners_of(paths: Iterable[Path]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the names of all users and groups that own one of the paths, by their numbers."""
    users: dict[str, str] = {}
    groups: dict[str, str] = {}
    for uid, gid in {(state.st_uid, state.st_gid) for state in (path.lstat() for path in paths)}:
        with suppress(KeyError):
            users[str(uid)] = pwd.getpwuid(uid).pw_name
        with suppress(KeyError):
            groups[str(gid)] = grp.getgrgid(gid).gr_name
    return users, groups
