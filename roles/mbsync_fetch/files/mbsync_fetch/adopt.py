# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Takes over what another program fetched from an account before: its Maildirs and mbsync's states.

Nothing of it is fetched again, nothing that was deleted there comes back, and the old files stay as they are. It can be
cut off and run again. It runs as root, while the account is not fetched, and writes as the account's user.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import imaplib
import os
import pwd
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, cast

from .account import Account
from .house import House, HouseError
from .ledger import FolderRecord, Ledger, fingerprint
from .names import Mailbox, decode
from .plan import INBOX, Folder, Names, plan
from .provider import MailboxStatus, Provider, ProviderError, askable
from .recognise import recognise
from .run import ACCOUNTS, locked
from .sync_state import UNKNOWN, SyncState, SyncStateError, interrupted

STATES = Path("/var/lib/mbsync-fetch")
GZIP = b"\x1f\x8b"
# What the letters in a file's name mean (https://cr.yp.to/proto/maildir.html); Dovecot's own begin with "a".
FLAGS = {"D": r"\Draft", "F": r"\Flagged", "P": "$Forwarded", "R": r"\Answered", "S": r"\Seen"}
DELETED = "T"
KEYWORDS = "dovecot-keywords"
STATE_IN_MAILDIR = ".mbsyncstate"


class AdoptError(Exception):
    """Something cannot be adopted; the message says what to do."""


@dataclass(frozen=True)
class Source:
    """Where a mailbox lay before: its Maildir, mbsync's state of it, or both."""

    maildir: Path | None = None
    state: Path | None = None


@dataclass(frozen=True)
class Stored:
    """A message in a Maildir. arrived: in seconds since 1970. deleted: it is marked so."""

    path: Path
    flags: tuple[str, ...]
    deleted: bool
    arrived: float
    fingerprint: bytes

    @property
    def date(self) -> str:
        """Return when it arrived, as IMAP writes it."""
        return _internaldate(self.arrived)

    def read(self) -> bytes:
        """Return the message."""
        with _opened(self.path) as file:
            return file.read()


# --- the old files


def stored(maildir: Path) -> list[Stored]:
    """Read what lies in a Maildir, in the order of arrival."""
    keywords = _keywords(maildir)
    found = []
    for directory in ("new", "cur"):
        for entry in os.scandir(maildir / directory):
            letters = entry.name.rpartition(":2,")[2] if ":2," in entry.name else ""
            if entry.name.startswith("."):
                continue
            flags = tuple(flag for letter in letters if (flag := keywords.get(letter)))
            with contextlib.suppress(FileNotFoundError):  # its program has given it another name meanwhile
                if not entry.stat().st_size:
                    continue  # no server takes it
                arrived = entry.stat().st_mtime
                path = Path(entry.path)
                mark = _fingerprint(path, arrived)
                found.append(Stored(path, flags, DELETED in letters, arrived, mark))
    return sorted(found, key=lambda message: (message.arrived, message.path.name))


def tree(root: Path) -> dict[str, Path]:
    """Find the Maildirs of a tree by the names of their mailboxes, levels separated by "/".

    Maildir++ has them beside each other (".Work.Clients"), others below each other ("Work/Clients", "Work/.Clients").
    """
    found: dict[str, Path] = {}
    for directory, below, _ in os.walk(root):
        if "cur" in below:
            levels = [
                decode(level)
                for part in Path(directory).relative_to(root).parts
                for level in (part[1:].split(".") if part.startswith(".") else [part])
            ]
            name = "/".join(levels) or INBOX
            if found.setdefault(name, Path(directory)) != Path(directory):
                raise AdoptError(
                    f"{found[name]} and {directory} are both {name}; adopt them one by one, with --mailbox"
                )
        below[:] = [name for name in below if name not in ("cur", "new", "tmp")]
    return found


def read_state(path: Path) -> SyncState:
    """Read a state of mbsync's, of any version, with what a run that was cut off had done."""
    if not path.exists():
        raise AdoptError(f"{path}: there is no such file")
    lines = path.read_text("ascii", errors="replace").splitlines()
    ancient = bool(lines) and lines[0][:1].isdigit()
    state = _ancient_state(path, lines) if ancient else SyncState.read(path) or SyncState()
    # Before 1.3 this number stood for a message that was too big.
    state.pairs = {far: near for far, near in state.pairs.items() if UNKNOWN not in (far, near)}
    return state


def _ancient_state(path: Path, lines: Sequence[str]) -> SyncState:
    """Read the form that mbsync wrote before 1.1: "FAR-VALIDITY:MAX NEAR-VALIDITY:MAX:MAX", then the messages."""
    try:
        far, near = (part.split(":") for part in lines[0].split())
        state = SyncState(far_validity=int(far[0]), near_validity=int(near[0]), max_pulled=int(far[1]))
        for line in lines[1:]:
            far_uid, near_uid, *flags = line.split()
            if not flags or flags[0][0] not in "^>":
                state.pairs[int(far_uid)] = int(near_uid)
    except (ValueError, IndexError) as error:
        raise AdoptError(f"{path} is not a state of mbsync's: {error}") from error
    return state


def _keywords(maildir: Path) -> dict[str, str]:
    """Return what each letter means: Dovecot keeps the names of further flags in lines such as "0 $Junk"."""
    meanings = dict(FLAGS)
    with contextlib.suppress(FileNotFoundError):
        for line in (maildir / KEYWORDS).read_text("utf-8", errors="replace").splitlines():
            number, _, name = line.partition(" ")
            if number.isdigit() and int(number) < 26 and name.isascii():
                meanings[chr(ord("a") + int(number))] = name
    return meanings


def _fingerprint(path: Path, arrived: float) -> bytes:
    header = b""
    with _opened(path) as file:
        for line in file:
            if not line.rstrip(b"\r\n"):
                break
            header += line
    if b"\0" in header:
        raise AdoptError(f"{path} is no message; if it is compressed, decompress it first")
    return fingerprint(header, _internaldate(arrived))


def _opened(path: Path) -> BinaryIO:
    """Open a message, which Dovecot may have compressed."""
    file = path.open("rb")
    if file.peek(len(GZIP)).startswith(GZIP):
        file.close()
        return cast("BinaryIO", gzip.open(path))
    return file


def _internaldate(moment: float) -> str:
    return imaplib.Time2Internaldate(moment).strip('"')


# --- what becomes of them


@dataclass
class Adoption:
    """Takes mailboxes over into the house, and records what need not be fetched.

    directory: the account's own, as for a fetch. folders: all that are fetched.
    """

    account: Account
    provider: Provider
    house: House
    ledger: Ledger
    directory: Path
    folders: Sequence[Folder]
    _lines: list[str] = field(default_factory=list)
    # What lies in the house and is no longer in the mailbox that it came from, by fingerprint: folder and UID.
    _strays: dict[bytes, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))
    # What is still to be fetched.
    _unknown: list[tuple[FolderRecord, dict[int, bytes]]] = field(default_factory=list)

    def mailbox(self, folder: Folder, source: Source) -> None:
        """Take one mailbox over."""
        record = replace(self.ledger.assign(folder.raw, folder.house), role=folder.role)
        self.ledger.update(record.alias, role=folder.role)
        far = self.provider.examine(record.raw)
        state = self._state(record, far)
        with as_root():
            old = stored(source.maildir) if source.maildir else []
        old = [message for message in old if not self._left_out(record, message.flags)]
        known = self.ledger.taken(record.alias)
        new = {
            message.uid: message.fingerprint
            for message in self.provider.survey([uid for uid in self.provider.uids() if uid not in known])
            if not self._left_out(record, message.flags)
        }
        here = self.house.fingerprints(record.house)
        brought = self._append(record, old, here, self._unwanted(record, state, known, new, old))
        paired = set(state.pairs.values())
        lacking = new | {uid: mark for uid, mark in known.items() if not state.pairs.get(uid)}
        pairs = recognise({uid: mark for uid, mark in here.items() if uid not in paired}, lacking)
        for uid in brought - paired - set(pairs.values()):
            self._strays[here[uid]].append((record.house, uid))
        unknown = {uid: mark for uid, mark in new.items() if uid not in pairs}
        pairs |= dict.fromkeys(self._done(record, source, far, unknown, old), 0)
        self._settle(record, state, lacking, pairs)
        unknown = {uid: mark for uid, mark in unknown.items() if uid not in pairs}
        self._unknown.append((record, unknown))
        self._lines.append(
            f"{decode(record.raw)}: {len(unknown)} of {far.messages} messages are still to be fetched"
        )

    def follow(self) -> None:
        """Move what was moved at the provider since it was fetched, and would come once more."""
        for record, unknown in self._unknown:
            for folder, uids in self._arrivals(unknown).items():
                moved = self.house.move(folder, list(uids.values()), record.house)
                pairs = {uid: moved[there] for uid, there in uids.items() if there in moved}
                self._settle(record, self._state(record, self.provider.examine(record.raw)), unknown, pairs)
                self._lines.append(
                    f"{decode(record.raw)}: {len(pairs)} messages have moved here from {folder}"
                )

    def said(self) -> list[str]:
        """Return what was done since this was last asked."""
        lines, self._lines = self._lines, []
        return lines

    def _arrivals(self, unknown: Mapping[int, bytes]) -> dict[str, dict[int, int]]:
        """Find where messages lie that are to be fetched: folder -> UID at the provider -> UID there."""
        found: dict[str, dict[int, int]] = defaultdict(dict)
        for uid, mark in unknown.items():
            if places := self._strays.get(mark):
                folder, there = places.pop(0)
                found[folder][uid] = there
        return found

    def _state(self, record: FolderRecord, far: MailboxStatus) -> SyncState:
        """Return what mbsync knows of a mailbox; it must be up to date."""
        path = self.directory / "sync" / record.alias
        near = self.house.ensure(record.house)
        state = SyncState.read(path) or SyncState(far.uidvalidity, near.uidvalidity)
        if (
            interrupted(path)
            or record.uidvalidity not in (0, far.uidvalidity)
            or state.near_validity not in (UNKNOWN, near.uidvalidity)
        ):
            raise AdoptError(
                f"{decode(record.raw)}: its last fetch was cut off, or it has been numbered anew since: "
                "let it be fetched once before this"
            )
        return replace(state, far_validity=far.uidvalidity, near_validity=near.uidvalidity)

    def _done(
        self,
        record: FolderRecord,
        source: Source,
        far: MailboxStatus,
        new: Mapping[int, bytes],
        old: Sequence[Stored],
    ) -> set[int]:
        """Return which messages that the folder lacks are not to be fetched for all that.

        They were deleted where they were fetched before; or they are another label's copies.
        """
        deleted = {number: message.fingerprint for number, message in enumerate(old) if message.deleted}
        done = set(recognise(deleted, new)) | (self._fetched_before(record, source, far) & new.keys())
        if self._holds_copies(record):
            places = self.ledger.places(set(new.values()))
            done |= {
                uid
                for uid, mark in new.items()
                if any(alias != record.alias for alias, _ in places.get(mark, ()))
            }
        return done

    def _fetched_before(self, record: FolderRecord, source: Source, far: MailboxStatus) -> set[int]:
        """Return the UIDs that the old state has as fetched."""
        if source.state is None:
            return set()
        with as_root():
            state = read_state(source.state)
        if state.far_validity == far.uidvalidity:
            return set(state.pairs)
        self._lines.append(
            f"{decode(record.raw)}: the provider has numbered it anew since {source.state} was written (UIDVALIDITY "
            f"{state.far_validity}, now {far.uidvalidity}): what was deleted since it was fetched comes back"
        )
        return set()

    def _unwanted(
        self,
        record: FolderRecord,
        state: SyncState,
        known: Mapping[int, bytes],
        new: Mapping[int, bytes],
        old: Sequence[Stored],
    ) -> set[bytes]:
        """Return which messages the house had before: here, or as ones of another mailbox that they have moved to."""
        places = self.ledger.places({message.fingerprint for message in old})
        elsewhere = {
            mark for mark, found in places.items() if any(alias != record.alias for alias, _ in found)
        }
        had = {mark for uid, mark in known.items() if state.pairs.get(uid)}
        return had | (elsewhere - set(new.values()) - set(known.values()))

    def _append(
        self, record: FolderRecord, old: Sequence[Stored], here: dict[int, bytes], unwanted: set[bytes]
    ) -> set[int]:
        """Store in the house what it does not have yet of a Maildir; return the UIDs of the Maildir's messages.

        here: fingerprints of the folder's messages, to which those are added that come.
        """
        kept = {number: message.fingerprint for number, message in enumerate(old) if not message.deleted}
        there = recognise(here, kept)
        uids = set(there.values())
        elsewhere = self._elsewhere(record) if old else Counter()
        missing = [
            old[number] for number, mark in kept.items() if number not in there and mark not in unwanted
        ]
        appended = 0
        for message in missing:
            if elsewhere[message.fingerprint]:
                elsewhere[message.fingerprint] -= 1
                continue
            with as_root():
                content = message.read()
            uid = self.house.append(record.house, content, message.flags, message.date)
            here[uid] = message.fingerprint
            uids.add(uid)
            appended += 1
        if old:
            self._lines.append(
                f"{decode(record.raw)}: {appended} of {len(old)} old messages were stored in {record.house}"
            )
        return uids

    def _elsewhere(self, record: FolderRecord) -> Counter[bytes]:
        """Count what the account's other folders have, if this one is not to have it once more."""
        if not self._holds_copies(record):
            return Counter()
        return Counter(
            mark
            for folder in self.folders
            if folder.raw != record.raw
            for mark in self.house.fingerprints(folder.house).values()
        )

    def _holds_copies(self, record: FolderRecord) -> bool:
        """Tell whether a mailbox has messages of others, that are to be in the house once."""
        return record.role == "all" or (self.account.labelled and not self.account.labels)

    def _left_out(self, record: FolderRecord, flags: Iterable[str]) -> bool:
        """Tell whether a message is a draft in all mail, which is not fetched."""
        return record.role == "all" and r"\draft" in map(str.lower, flags)

    def _settle(
        self, record: FolderRecord, state: SyncState, marks: Mapping[int, bytes], pairs: Mapping[int, int]
    ) -> None:
        """Record messages (UID at the provider, in the house or 0) that are not to be fetched."""
        path = self.directory / "sync" / record.alias
        path.parent.mkdir(mode=0o700, exist_ok=True)
        state.pairs |= pairs
        state.write(path)
        with self.ledger.transaction():
            self.ledger.take(record.alias, {uid: marks[uid] for uid in pairs})
            self.ledger.update(record.alias, uidvalidity=state.far_validity)


# --- what is asked for


def sources(
    folders: Sequence[Folder], names: Names, mailbox: str, maildir: Path | None, state: Path | None
) -> tuple[dict[str, Source], list[str]]:
    """Find what belongs to which planned mailbox, by its raw name; and the names of Maildirs that belong to none.

    mailbox: the one that the Maildir and the state are of, as people write it; empty for a whole tree of Maildirs.
    """
    if maildir is None and state is None:
        raise AdoptError("give a --maildir, a --state, or both")
    if mailbox:
        return {_planned(folders, names.matching(mailbox), mailbox): _source(maildir, state)}, []
    if maildir is None or state is not None:
        raise AdoptError("a --state is of one mailbox: give --mailbox as well")
    found: dict[str, Source] = {}
    left = []
    for name, directory in sorted(tree(maildir).items()):
        try:
            raw = _planned(folders, names.matching(name), name)
        except AdoptError:
            raw = ""
        if raw and raw not in found:
            found[raw] = _source(directory, None)
        else:
            left.append(name)
    if not found:
        raise AdoptError(f"{maildir}: no Maildir in it has the name of a mailbox that is fetched")
    return found, left


def _planned(folders: Sequence[Folder], matching: Iterable[Mailbox], name: str) -> str:
    planned = [folder.raw for folder in folders]
    match = [mailbox.raw for mailbox in matching if mailbox.raw in planned]
    if len(match) != 1:
        raise AdoptError(
            f"{name!r} is none of the mailboxes that are fetched: {', '.join(map(decode, planned))}"
        )
    return match[0]


def _source(maildir: Path | None, state: Path | None) -> Source:
    if maildir is not None and not (maildir / "cur").is_dir():
        raise AdoptError(f"{maildir} is no Maildir: it has no directory cur")
    if state is None and maildir is not None and (maildir / STATE_IN_MAILDIR).exists():
        state = maildir / STATE_IN_MAILDIR
    return Source(maildir, state)


# --- as whom


@contextlib.contextmanager
def as_root() -> Iterator[None]:
    """Read what only its owner can, if the program was started by root."""
    user = os.geteuid()
    if os.getuid() == 0:
        os.seteuid(0)
    try:
        yield
    finally:
        os.seteuid(user)


def become(name: str) -> Path:
    """Go on as the user of an account, as far as files are written; return the account's directory."""
    directory = STATES / name
    user = pwd.getpwnam(f"mbsync-fetch-{name}")
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700)
        os.chown(directory, user.pw_uid, user.pw_gid)
    os.umask(0o077)
    os.setgroups([])
    os.setegid(user.pw_gid)
    os.seteuid(user.pw_uid)
    return directory


def secret_of(name: str) -> str:
    """Read the secret from where the service has it (systemd.exec(5), LoadCredential)."""
    unit = subprocess.run(
        ["systemctl", "cat", f"mbsync-fetch@{name}.service"], capture_output=True, check=True, text=True
    ).stdout
    path = next(line.partition(":")[2] for line in unit.splitlines() if line.startswith("LoadCredential="))
    return Path(path).read_text("utf-8").strip("\r\n")


def adopt(account: Account, secret: str, directory: Path, arguments: argparse.Namespace) -> Iterator[str]:
    """Take over what the arguments name; say what was done."""
    with (
        Ledger(directory / "ledger.sqlite") as ledger,
        Provider(account, secret) as provider,
        House(account.door) as house,
    ):
        mailboxes = provider.mailboxes()
        assigned = {record.raw: record.house for record in ledger.folders()}
        folders = [folder for folder in plan(account, mailboxes, assigned).folders if askable(folder.raw)]
        with as_root():
            found, left = sources(
                folders, Names(mailboxes), arguments.mailbox, arguments.maildir, arguments.state
            )
        adoption = Adoption(account, provider, house, ledger, directory, folders)
        for folder in folders:
            # All mail is looked through in any case: what was archived since would come once more.
            if folder.raw in found or folder.role == "all":
                adoption.mailbox(folder, found.get(folder.raw, Source()))
                yield from adoption.said()
        adoption.follow()
        yield from adoption.said()
        for name in left:
            yield f"{name}: its Maildir was left alone, because no mailbox of this name is fetched"


def main() -> int:
    """Adopt; return the exit status."""
    parser = argparse.ArgumentParser(prog="mbsync_fetch.adopt", description=__doc__)
    parser.add_argument("name", help="the account")
    parser.add_argument("--mailbox", default="", help="the mailbox, as it is called at the provider")
    parser.add_argument("--maildir", type=Path, help="its Maildir, or without --mailbox a tree of Maildirs")
    parser.add_argument("--state", type=Path, help="mbsync's state of the mailbox")
    arguments = parser.parse_args()
    try:
        account = Account.read(ACCOUNTS / f"{arguments.name}.json")
        secret = secret_of(arguments.name)
        directory = become(arguments.name)
        with locked(directory) as alone:
            if not alone:
                raise AdoptError("a fetch of this account is running; stop it first")
            for line in adopt(account, secret, directory, arguments):
                print(line, flush=True)
    except (AdoptError, HouseError, OSError, ProviderError, SyncStateError) as error:
        print(f"{arguments.name}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
