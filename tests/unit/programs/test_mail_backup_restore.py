# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is restored, where it goes, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from ansible_collections.ilnmors.mail.tests.unit.fakes.maildir import Folder
from mail_backup.asked import RefusedError, directory_of, find_person, find_snapshot, has_messages
from mail_backup.backup import backup, copy_house, describe_house
from mail_backup.config import Config, Place
from mail_backup.drill import DifferenceError, drill
from mail_backup.file_copy import TICK
from mail_backup.manifest import About
from mail_backup.opened import OpenError, Table, open_maildir, table
from mail_backup.restic import RepositoryError, Restic, Snapshot
from mail_backup.restore_house import add_tree, restore_house
from mail_backup.restore_person import RESERVED_UIDS, restore_person
from mail_backup.status import Status, Work


class Repository:
    """Stands for restic: a snapshot is a copy of its directories."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.taken: list[Snapshot] = []
        self.called: list[str] = []
        self.spoil: Callable[[Path], None] = lambda __: None
        self.stop_after = 1000
        self.config: Config | None = None

    def take(self, config: Config) -> None:
        number = len(self.taken) + 1
        name = f"aaaa000{number}"
        paths = [config.copy, config.mail_copy]
        for path in paths:
            shutil.copytree(path, self.directory / name / str(path).lstrip("/"), symlinks=True)
        self.taken.append(
            Snapshot(name, f"2026-11-2{number}T03:00:00+01:00", config.host, tuple(map(str, paths)))
        )

    def backup(self, paths: list[Path]) -> dict[str, Any]:
        assert self.config
        assert paths == [self.config.copy, self.config.mail_copy]
        self.take(self.config)
        return {"snapshot_id": f"{self.taken[-1].id}ffff", "data_added": 9}

    def snapshots(self, host: str = "") -> list[Snapshot]:
        return [one for one in self.taken if host in ("", one.host)]

    def call(self, *arguments: str, **__: Any) -> str:
        self.called.append(arguments[0])
        if arguments[0] == "dump":
            return (self.directory / arguments[1] / arguments[2].lstrip("/")).read_text()
        return ""

    def restore(self, snapshot: str, target: Path, include: Iterable[str]) -> None:
        self.stop_after -= 1
        if self.stop_after < 0:
            raise RepositoryError("unreachable", "the network is gone")
        for path in include:
            source = self.directory / snapshot / path.lstrip("/")
            if source.exists():
                shutil.copytree(source, target / path.lstrip("/"), symlinks=True, dirs_exist_ok=True)
        self.spoil(target)


@pytest.fixture(autouse=True)
def _no_dovecot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no Dovecot of this machine be asked."""
    monkeypatch.setattr(shutil, "which", lambda __: None)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(
        host="mail",
        domain="home.internal",
        mail_directory=tmp_path / "vmail",
        places=(
            Place("certificates", tmp_path / "ssl"),
            Place("fetches", tmp_path / "fetches", "fetch state"),
        ),
        keep={"daily": 7},
        state=tmp_path / "state",
        cache=tmp_path / "cache",
    )


@pytest.fixture
def house(config: Config) -> Config:
    """Make a house with two people."""
    for person in ("il", "guest"):
        home = config.mail_directory / "home.internal" / person
        inbox, sent = Folder(home / "Maildir"), Folder(home / "Maildir" / ".Sent", validity=9)
        inbox.add(f"one of {person}", "S")
        sent.add(f"two of {person}", "a")
        (sent.path / "dovecot-keywords").write_text("0 Work\n")
        (home / "sieve").mkdir()
        (home / "sieve" / "mine.sieve").write_text("keep;")
        (home / ".dovecot.sieve").symlink_to("sieve/mine.sieve")
    for place, name in (("ssl", "ca.key"), ("fetches/gmail", "ledger"), ("fetches/gmail", "host")):
        path = config.mail_directory.parent / place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name} of the house")
    return config


@pytest.fixture
def repository(tmp_path: Path, house: Config) -> Repository:
    found = Repository(tmp_path / "repository")
    copy_house(house, lambda __: None)
    assert describe_house(house) == 4
    found.take(house)
    return found


def as_restic(repository: Repository) -> Restic:
    return cast(Restic, repository)


def on_a_bare_host(config: Config) -> Config:
    """Lose everything but the repository."""
    shutil.rmtree(config.mail_directory)
    for place in config.places:
        shutil.rmtree(place.path)
    return replace(config, state=config.state)


def restore(
    config: Config, repository: Repository, existing: str = "refuse", host: str = "mail"
) -> list[str]:
    said: list[str] = []
    for part in ("check", "state"):
        restore_house(config, as_restic(repository), host, "latest", part, existing, said.append)
    return said


# --- nothing has changed


def deliver(home: Path) -> None:
    (home / "Maildir" / "new" / "1.M1P1.host").write_text("new")


def mark_as_read(home: Path) -> None:
    path = next((home / "Maildir" / ".Sent" / "cur").iterdir())
    path.rename(path.with_name(path.name + "S"))


def write_a_filter(home: Path) -> None:
    (home / "sieve" / "mine.sieve").write_text("discard;")


def subscribe(home: Path) -> None:
    (home / "Maildir" / "subscriptions").write_text("Sent\n")


def change_a_certificate(home: Path) -> None:
    (home.parents[2] / "ssl" / "ca.key").write_text("another")


def forget_the_snapshot(home: Path) -> None:
    pass


@pytest.mark.parametrize(
    "change", [deliver, mark_as_read, write_a_filter, subscribe, change_a_certificate, forget_the_snapshot]
)
def test_no_snapshot_is_made_while_nothing_changes(
    house: Config, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    repository, status = Repository(tmp_path / "repository"), Status()
    repository.config = house

    def once() -> str:
        nonlocal status
        facts = backup(house, as_restic(repository), status, said.append)
        status = Status(backup=Work("ok", last_success=1.0, facts=facts))
        return str(facts["snapshot"])

    said: list[str] = []
    wait_for_another_tick()
    assert [once(), once(), once()] == ["aaaa0001ffff"] * 3
    assert said[-1] == "nothing has changed since snapshot aaaa0001ffff, which is there"
    change(house.mail_directory / "home.internal" / "il")
    wait_for_another_tick()
    if change is forget_the_snapshot:
        repository.taken.pop()
        shutil.rmtree(repository.directory)
        assert once() == "aaaa0001ffff"
        assert len(repository.taken) == 1
    else:
        assert [once(), once()] == ["aaaa0002ffff"] * 2


def wait_for_another_tick() -> None:
    """Wait until a change would have another time than what is there."""
    time.sleep(2 * TICK / 1e9)


# --- a house


def test_a_house_is_restored_onto_a_bare_host(house: Config, repository: Repository, tmp_path: Path) -> None:
    bare = on_a_bare_host(house)
    said = restore(bare, repository)
    assert said[0].startswith("snapshot aaaa0001 of mail, 2026-11-21T03:00:00: 4 messages of 2 people")
    sent = bare.mail_directory / "home.internal" / "il" / "Maildir" / ".Sent"
    assert next((sent / "cur").iterdir()).read_text() == "two of il"
    # UIDs stay; those that a client may have seen since are passed over.
    lines = (sent / "dovecot-uidlist").read_text().splitlines()
    assert lines[0].startswith(f"3 V9 N{2 + RESERVED_UIDS} ")
    assert lines[1].startswith("1 ")
    assert (sent / "tmp").is_dir()
    assert (tmp_path / "ssl" / "ca.key").read_text() == "ca.key of the house"
    # Another host fetches from now on.
    assert [path.name for path in (tmp_path / "fetches" / "gmail").iterdir()] == ["ledger"]


def test_a_house_with_mail_is_left_alone(house: Config, repository: Repository) -> None:
    with pytest.raises(RefusedError, match=r"has mail of home\.internal/guest, home\.internal/il already"):
        restore(house, repository)


def test_it_may_be_put_beside(house: Config, repository: Repository) -> None:
    before = sorted(house.mail_directory.rglob("cur/*"))
    restore(house, repository, existing="beside")
    after = sorted(house.mail_directory.rglob("cur/*"))
    assert set(before) < set(after)
    maildir = house.mail_directory / "home.internal" / "il" / "Maildir"
    assert (maildir / ".Restored 2026-11-21 0300.Sent" / "dovecot-keywords").is_file()
    assert not (maildir / ".Restored 2026-11-21 0300.Sent" / "dovecot-uidlist").exists()


def test_an_interrupted_restore_goes_on(house: Config, repository: Repository) -> None:
    bare = on_a_bare_host(house)
    # The places, and the first person.
    repository.stop_after = 2
    with pytest.raises(RepositoryError):
        restore(bare, repository)
    assert [has_messages(bare.mail_directory / "home.internal" / one) for one in ("guest", "il")] == [
        True,
        False,
    ]
    repository.stop_after = 1000
    restore(bare, repository)
    for person in ("guest", "il"):
        maildir = bare.mail_directory / "home.internal" / person / "Maildir"
        assert len(list(maildir.glob("cur/*"))) == 1
        assert not list(maildir.glob(".Restored*"))


@pytest.mark.parametrize(
    ("host", "wanted", "said"),
    [
        ("other", "latest", "no snapshot of other, but of mail; write one as mail_backup_host"),
        ("mail", "2026-01-01", "mail has no snapshot '2026-01-01'; write latest, or one of aaaa0001"),
        ("mail", "a", "mail has no snapshot 'a'"),
    ],
)
def test_a_snapshot_that_does_not_exist_is_refused(
    repository: Repository, host: str, wanted: str, said: str
) -> None:
    with pytest.raises(RefusedError) as error:
        find_snapshot(as_restic(repository), host, wanted)
    assert said in str(error.value)


@pytest.mark.parametrize("wanted", ["latest", "2026-11-21", "2026-12-31", "aaaa", "aaaa0001", "aaaa0001ffff"])
def test_a_snapshot_is_found(repository: Repository, wanted: str) -> None:
    assert find_snapshot(as_restic(repository), "mail", wanted).id == "aaaa0001"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_a_restored_home_has_one_owner(house: Config, repository: Repository) -> None:
    def give(target: Path) -> None:
        for home in target.glob("**/home.internal/il"):
            os.chown(home, 5000, 5001)

    repository.spoil = give
    bare = on_a_bare_host(house)
    restore(bare, repository)
    home = bare.mail_directory / "home.internal" / "il"
    assert {path.stat().st_uid for path in (home, *home.rglob("*"))} == {5000}


def test_waiting_mail_is_put_into_directories_of_the_queues_owner(tmp_path: Path) -> None:
    source, queue = tmp_path / "source", tmp_path / "queue"
    (source / "deferred" / "A").mkdir(parents=True, mode=0o755)
    (source / "deferred" / "A" / "AB12").write_text("waiting")
    (queue / "deferred").mkdir(parents=True)
    if os.geteuid() == 0:
        os.chown(queue / "deferred", 5000, 5001)
    add_tree(source, queue)
    there = queue / "deferred" / "A"
    assert there.stat().st_uid == (queue / "deferred").stat().st_uid
    assert there.stat().st_mode & 0o777 == 0o700
    assert (there / "AB12").read_text() == "waiting"


# --- a person


def test_a_person_is_restored_beside_what_is_there(house: Config, repository: Repository) -> None:
    said: list[str] = []
    restore_person(house, as_restic(repository), "mail", "latest", "il", "", said.append)
    assert said == ["restored into the folder 'Restored 2026-11-21 0300'"]
    maildir = house.mail_directory / "home.internal" / "il" / "Maildir"
    found = {path.name for path in maildir.glob(".Restored*")}
    top = ".Restored 2026-11-21 0300"
    assert found == {top, f"{top}.INBOX", f"{top}.Sent"}
    assert next((maildir / f"{top}.INBOX" / "cur").iterdir()).name.endswith(":2,S")
    with pytest.raises(RefusedError, match="is there already"):
        restore_person(house, as_restic(repository), "mail", "latest", "il", "", said.append)


def test_one_folder_is_restored(house: Config, repository: Repository) -> None:
    restore_person(
        house, as_restic(repository), "mail", "latest", "il@home.internal", "Sent", lambda __: None
    )
    maildir = house.mail_directory / "home.internal" / "il" / "Maildir"
    assert not list(maildir.glob(".Restored*.INBOX"))
    shutil.rmtree(next(maildir.glob(".Restored*0")))
    with pytest.raises(RefusedError, match=r"no folder 'Nothing' of this person, but \.Sent, INBOX"):
        restore_person(house, as_restic(repository), "mail", "latest", "il", "Nothing", lambda __: None)


def test_a_person_who_comes_back_has_the_whole_mailbox(house: Config, repository: Repository) -> None:
    home = house.mail_directory / "home.internal" / "guest"
    shutil.rmtree(home)
    said: list[str] = []
    restore_person(house, as_restic(repository), "mail", "latest", "guest", "", said.append)
    assert said == ["restored the whole mailbox, with its UIDs"]
    assert (home / "Maildir" / "dovecot-uidlist").read_text().startswith("3 V7 ")
    assert not (house.beside / "restoring-person").exists()


def test_a_person_who_is_not_in_it_is_refused() -> None:
    about = About("mail", "home.internal", "/v", "/c", "/d", 1.0, people={"home.internal/il": 3})
    assert find_person(about, "IL") == "home.internal/il"
    with pytest.raises(RefusedError, match=r"'ann' is not in the snapshot; write one of il@home\.internal"):
        find_person(about, "ann")


@pytest.mark.parametrize(
    ("folder", "directory"),
    [
        ("Sent", "Sent"),
        ("Projects/2026", "Projects.2026"),
        ("Invoices 2026.10", "Invoices 2026\x7f2e10"),
        ("~old", "\x7f7eold"),
        ("R&D", "R&-D"),
        ("받은 편지", "&vBvHQA- &07jJwA-"),
    ],
)
def test_the_directory_of_a_folder(folder: str, directory: str) -> None:
    assert directory_of(folder) == directory


# --- a drill


def test_a_drill_proves_a_snapshot(house: Config, repository: Repository) -> None:
    facts = drill(house, as_restic(repository), lambda __: None)
    assert facts == {"snapshot": "aaaa0001", "messages": 4, "opened": 0, "people": 2}
    assert repository.called == ["forget", "prune", "check"]
    assert not (house.state / "drill").exists()


def change_flags(target: Path) -> None:
    for path in target.glob("**/.Sent/cur/*"):
        path.rename(path.with_name(path.name.replace(":2,a", ":2,S")))


def lose_a_message(target: Path) -> None:
    for path in target.glob("**/guest/Maildir/cur/*"):
        path.unlink()


def change_a_text(target: Path) -> None:
    for path in target.glob("**/il/Maildir/cur/*"):
        path.write_text("another")


def change_the_key(target: Path) -> None:
    for path in target.glob("**/ca.key"):
        path.write_text("another")


def change_a_filter(target: Path) -> None:
    for path in target.glob("**/guest/sieve/mine.sieve"):
        path.write_text("discard;")


def choose_another_filter(target: Path) -> None:
    for path in target.glob("**/guest/.dovecot.sieve"):
        path.unlink()
        path.symlink_to("sieve/other.sieve")


def lose_the_keywords(target: Path) -> None:
    for path in target.glob("**/.Sent/dovecot-keywords"):
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (change_flags, "guest: .Sent: the message"),
        (lose_a_message, "guest: INBOX: the message"),
        (change_a_text, "il: INBOX: the message"),
        (change_a_filter, "guest: sieve/mine.sieve is not what was backed up"),
        (choose_another_filter, "guest: .dovecot.sieve is not what was backed up"),
        (lose_the_keywords, "guest: Maildir/.Sent/dovecot-keywords is missing"),
        (change_the_key, "places/certificates/ca.key is not what was backed up"),
    ],
)
def test_a_drill_that_finds_a_difference_names_it(
    house: Config, repository: Repository, spoil: Callable[[Path], None], said: str
) -> None:
    repository.spoil = spoil
    with pytest.raises(DifferenceError) as error:
        drill(house, as_restic(repository), lambda __: None)
    assert said in str(error.value)


def test_a_drill_of_nothing_is_no_success(house: Config, tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="no snapshot of this host"):
        drill(house, as_restic(Repository(tmp_path / "empty")), lambda __: None)


def test_a_snapshot_of_another_version_is_not_guessed_at(house: Config, repository: Repository) -> None:
    path = next((repository.directory / "aaaa0001").rglob("about.json"))
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 99}))
    with pytest.raises(RefusedError, match="another version"):
        restore_person(house, as_restic(repository), "mail", "latest", "il", "", lambda __: None)


# --- a mailbox that Dovecot opens

STATUS = "mailbox\tmessages\tuidnext\tuidvalidity\nINBOX\t1\t2\t7\nSent\t1\t2\t9\n"
FETCHED = "mailbox\tuid\tflags\nINBOX\t1\t\\Seen \\Recent\nSent\t1\tWork\n"


@pytest.mark.parametrize(
    ("status", "fetched", "said"),
    [
        (STATUS, FETCHED, []),
        (
            "mailbox\n",
            "mailbox\n",
            ["INBOX: Dovecot shows no such folder", ".Sent: Dovecot shows no such folder"],
        ),
        (STATUS.replace("\t9", "\t8"), FETCHED, [".Sent: Dovecot shows the UIDVALIDITY 8, which was 9"]),
        (STATUS.replace("2\t9", "1\t9"), FETCHED, [".Sent: Dovecot shows 1 as the next UID, which was 2"]),
        (STATUS.replace("\t1\t2\t7", "\t2\t3\t7"), FETCHED, ["INBOX: Dovecot shows 2 messages, of 1"]),
        (STATUS, FETCHED.replace("Sent\t1", "Sent\t2"), [".Sent: Dovecot shows no message with the UID 1"]),
        (
            STATUS,
            FETCHED.replace("\\Seen", "\\Flagged"),
            [r"INBOX: Dovecot shows the message with the UID 1 as \Flagged, which was \Seen"],
        ),
        (
            STATUS,
            FETCHED.replace("\tWork", "\t"),
            [".Sent: Dovecot shows the message with the UID 1 as without flags, which was Work"],
        ),
    ],
)
def test_what_dovecot_shows_is_compared(
    house: Config, repository: Repository, status: str, fetched: str, said: list[str]
) -> None:
    assert repository.taken
    copied = house.mail_copy / "home.internal" / "il" / "Maildir"
    answers = {"mailbox status": status, "fetch": fetched}
    manifest = house.copy / "manifest" / "home.internal" / "il"
    opened = open_maildir(house, copied, manifest, lambda command, *__: table(answers[command]))
    assert sorted(opened.differences) == sorted(said)


def test_a_mailbox_that_dovecot_does_not_open_is_a_difference(house: Config, repository: Repository) -> None:
    def ask(*__: object) -> Table:
        raise OpenError("Mailbox INBOX: Corrupted")

    copied = house.mail_copy / "home.internal" / "il" / "Maildir"
    opened = open_maildir(house, copied, house.copy / "manifest" / "home.internal" / "il", ask)
    assert repository.taken
    assert opened.differences == ("Dovecot does not open the mailbox: Mailbox INBOX: Corrupted",)
