# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""People find the mail of the last days, as it was at the first backup of each, and nothing of it can be changed."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.tests.unit.fakes.maildir import Folder
from mail_backup import yesterday
from mail_backup.backup import copy_house
from mail_backup.config import Config
from mail_backup.file_copy import remove
from mail_backup.folder_copy import list_messages_at_rest
from mail_backup.maildir import frozen_uid_list, read_uid_list
from mail_backup.yesterday import keep_days

DAY = date(2026, 11, 29)
NOW = 1_796_000_000
PERSON = "home.internal/il"


@dataclass
class House:
    """A house of one person, and its backups."""

    config: Config
    inbox: Folder
    said: list[str] = field(default_factory=list)

    @property
    def maildir(self) -> Path:
        return self.config.mail_directory / PERSON / "Maildir"

    @property
    def kept(self) -> Path:
        return self.config.yesterday / PERSON

    def back_up(self, later: int = 0) -> None:
        """Copy the house, some days after the first one."""
        copy_house(self.config, self.said.append)
        keep_days(self.config, DAY + timedelta(later), NOW + later * 86_400, self.said.append)

    def folders(self) -> list[str]:
        return sorted(path.name for path in self.kept.glob(".*"))

    def texts(self, folder: str) -> list[str]:
        return sorted(path.read_text() for path in (self.kept / folder / "cur").iterdir())

    def subscribed(self) -> list[str]:
        head, __, names = (self.kept / "subscriptions").read_text().partition("\n\n")
        assert head == "V\t2"
        return names.replace("\t", "/").splitlines()


@pytest.fixture
def house(tmp_path: Path) -> House:
    mail = tmp_path / "vmail"
    return House(
        Config("mail", "home.internal", mail, (), {}, yesterday_days=3, state=tmp_path / "state"),
        Folder(mail / PERSON / "Maildir"),
    )


def test_a_day_shows_what_was_there(house: House) -> None:
    base = house.inbox.add("first", "FSa")
    (house.maildir / "dovecot-keywords").write_text("0 $Work\n")
    bills = Folder(house.maildir / ".Bills\x7f2e10.2026")
    bills.add("bill")
    (house.maildir / "subscriptions").write_text("V\t2\n\nBills.10\t2026\n")
    house.back_up()
    house.inbox.move(base, bills)

    assert house.folders() == [".2026-11-29.Bills\x7f2e10.2026", ".2026-11-29.INBOX"]
    assert house.texts(".2026-11-29.INBOX") == ["first"]
    assert house.texts(".2026-11-29.Bills\x7f2e10.2026") == ["bill"]
    assert house.subscribed() == ["2026-11-29/INBOX", "2026-11-29/Bills.10/2026"]
    folder = house.kept / ".2026-11-29.INBOX"
    assert list_messages_at_rest(folder) == {base: ("cur", f"{base}:2,FSa")}
    assert (folder / "dovecot-keywords").read_text() == "0 $Work\n"
    uids = read_uid_list(folder / "dovecot-uidlist")
    assert uids
    assert (uids.validity, uids.next_uid, uids.uids) == (NOW, 2, {base: 1})


def test_a_day_costs_names_alone_and_its_owner_can_change_nothing(house: House) -> None:
    base = house.inbox.add("first")
    house.back_up()
    folder = house.kept / ".2026-11-29.INBOX"
    assert (folder / "cur" / f"{base}:2,").samefile(house.inbox.files[base])
    for directory in (house.config.yesterday, house.kept.parent, house.kept, *folder.glob("*/")):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o750
    # What is root's in there stays, whoever may add a lock.
    assert stat.S_IMODE(folder.stat().st_mode) == 0o1770
    assert {path.name for path in folder.iterdir()} == {"cur", "new", "tmp", "dovecot-uidlist"}


def test_a_message_that_no_client_has_seen_is_shown(house: House) -> None:
    (house.maildir / "new" / "1796000001.M1P1.mail,S=3").write_text("new")
    house.back_up()
    folder = house.kept / ".2026-11-29.INBOX"
    assert [path.name for path in (folder / "cur").iterdir()] == ["1796000001.M1P1.mail,S=3:2,"]
    assert list((folder / "new").iterdir()) == []
    uids = read_uid_list(folder / "dovecot-uidlist")
    assert uids
    assert uids.uids == {"1796000001.M1P1.mail,S=3": 1}


def test_the_first_backup_of_a_day_is_what_it_shows(house: House) -> None:
    house.inbox.add("morning")
    house.back_up()
    before = {path: path.stat().st_mtime_ns for path in house.kept.rglob("*")}
    house.inbox.add("noon")
    house.back_up()
    assert house.texts(".2026-11-29.INBOX") == ["morning"]
    assert {path: path.stat().st_mtime_ns for path in house.kept.rglob("*")} == before


def test_days_go_when_they_are_over(house: House) -> None:
    for later in (0, 1, 2, 3):
        house.back_up(later)
    assert house.folders() == [".2026-11-30.INBOX", ".2026-12-01.INBOX", ".2026-12-02.INBOX"]
    assert house.subscribed() == ["2026-11-30/INBOX", "2026-12-01/INBOX", "2026-12-02/INBOX"]
    # After a week without a backup, and after a clock that was wrong.
    house.back_up(10)
    assert house.folders() == [".2026-12-09.INBOX"]
    house.back_up(4)
    assert house.folders() == [".2026-12-03.INBOX"]


def test_who_is_gone_is_gone_after_the_days(house: House) -> None:
    house.inbox.add("first")
    house.back_up()
    remove(house.config.mail_directory / PERSON)
    house.back_up(2)
    assert house.texts(".2026-11-29.INBOX") == ["first"]
    house.back_up(3)
    assert [path.name for path in house.config.yesterday.iterdir()] == [".locks"]


def test_a_day_that_was_interrupted_is_made_again_as_a_whole(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = Folder(house.maildir / ".Archive")
    base = archive.add("first")

    def killed(*__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(yesterday, "_subscribe", killed)
        with pytest.raises(KeyboardInterrupt):
            house.back_up()
    assert house.folders() == [".2026-11-29.Archive"]
    archive.move(base, house.inbox)
    house.back_up()
    assert house.texts(".2026-11-29.Archive") == []
    assert house.texts(".2026-11-29.INBOX") == ["first"]
    assert house.subscribed() == ["2026-11-29/INBOX"]


def test_a_name_that_is_too_long_is_told(house: House) -> None:
    name = "a" * 250
    Folder(house.maildir / f".{name}")
    house.back_up()
    assert house.folders() == [".2026-11-29.INBOX"]
    assert house.said == [f"il: the name of the folder {name} is too long for 2026-11-29"]


def test_without_days_nothing_is_left(house: House) -> None:
    house.back_up()
    assert house.config.yesterday.is_dir()
    keep_days(Config("mail", "home.internal", house.config.mail_directory, (), {}), DAY, NOW, print)
    assert not house.config.yesterday.exists()


def test_a_host_without_mail_has_none(tmp_path: Path) -> None:
    config = Config("app", "home.internal", tmp_path / "vmail", (), {}, yesterday_days=3, state=tmp_path)
    keep_days(config, DAY, NOW, print)
    assert not config.yesterday.exists()


@pytest.mark.parametrize(
    ("content", "bases", "expected"),
    [
        (b"", [], "3 V5 N1 Gabc\n"),
        (b"", ["b", "a"], "3 V5 N3 Gabc\n1 :a\n2 :b\n"),
        # What is gone is left out, what is known stays as it is, with its fields, and what is new comes last.
        (
            b"3 V7 N9 Gdef\n2 W9 :b:2,S\n4 :gone\n6 :c\n",
            ["a", "b", "c"],
            "3 V5 N10 Gabc\n2 W9 :b:2,S\n6 :c\n9 :a\n",
        ),
        # Lines were added after the header was written.
        (b"3 V7 N1 Gdef\n8 :b\n", ["a", "b"], "3 V5 N10 Gabc\n8 :b\n9 :a\n"),
    ],
    ids=["empty", "new", "known", "added"],
)
def test_a_list_of_uids_leaves_nothing_to_write(content: bytes, bases: list[str], expected: str) -> None:
    assert frozen_uid_list(content, bases, 5, "abc").decode() == expected
