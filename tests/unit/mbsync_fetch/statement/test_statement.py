# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is stated of an account, to prove that its mail is complete."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.unit.mbsync_fetch.fakes.world import (
    ACCOUNT,
    ALL,
    GMAIL,
    SENT,
    FakeRemote,
    World,
    boxes,
)
from mbsync_fetch.remote.account import MailboxError, MailboxStatus
from mbsync_fetch.statement.digests import of_message_ids, of_uids


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_digests_are_of_lines() -> None:
    assert of_uids([]) == of_message_ids([]) == sha256("")
    assert of_uids([20, 3]) == sha256("3\n20\n")
    assert of_message_ids([b"<b@x>", b"", b"<a@x>", b"<a@x>"]) == sha256("\n<a@x>\n<a@x>\n<b@x>\n")


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> World:
    return World(tmp_path, FakeRemote(boxes(INBOX="a b c", Work="d", Junk="spam1 spam2"), {"Junk": "\\junk"}))


def mailbox(statement: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in statement["mailboxes"] if one["name"] == name)
    return found


def places(statement: dict[str, Any], name: str) -> dict[str, int]:
    return {place: count for place, count in mailbox(statement, name)["places"].items() if count}


def test_a_complete_account_is_stated(world: World) -> None:
    world.fetch()
    statement = world.statement()
    json.dumps(statement)
    assert statement["complete"]
    assert (statement["account"], statement["username"]) == ("gmail", "il@gmail.test")
    assert statement["not_fetched"] == [{"name": "Junk", "rule": "spam", "detail": "", "messages": 2}]
    inbox = mailbox(statement, "INBOX")
    assert (inbox["folder"], inbox["uidvalidity"], inbox["messages"]) == ("Google/INBOX", 1, 3)
    assert places(statement, "INBOX") == {"here": 3}
    both = {"uids": sha256("1\n2\n3\n"), "message_ids": sha256("a\nb\nc\n")}
    assert inbox["digests"]["provider"] == both
    assert inbox["digests"]["here"] == {"provider": both, "house": both}


def test_what_was_moved_is_found_and_what_was_deleted_is_not(world: World) -> None:
    world.fetch()
    world.local.ensure("Kept")
    world.local.move("Google/INBOX", [3], "Kept")
    world.local.remove("Google/INBOX", [1])
    statement = world.statement()
    assert statement["complete"]
    assert places(statement, "INBOX") == {"here": 1, "moved": 1, "deleted": 1}
    inbox = mailbox(statement, "INBOX")
    assert inbox["moved_to"] == {"Kept": 1}
    assert inbox["digests"]["moved"]["house"] == {"message_ids": sha256("c\n")}
    assert inbox["digests"]["moved"]["provider"] == {"uids": sha256("3\n"), "message_ids": sha256("c\n")}


def test_one_message_in_the_house_stands_for_one_that_was_moved(world: World) -> None:
    world.remote.boxes["INBOX"].add("b")
    world.fetch()
    world.local.ensure("Kept")
    world.local.move("Google/INBOX", [2], "Kept")
    world.local.remove("Google/INBOX", [4])
    assert places(world.statement(), "INBOX") == {"here": 2, "moved": 1, "deleted": 1}


def test_all_mail_is_stated_with_where_its_copies_lie(tmp_path: Path) -> None:
    content = boxes(**{"INBOX": "a b", SENT: "s", ALL: "a b d s"})
    gmail = World(tmp_path, FakeRemote(content, GMAIL), account=replace(ACCOUNT, labelled=True))
    gmail.fetch()
    gmail.local.ensure("Kept")
    gmail.local.move("Google/INBOX", [2], "Kept")
    statement = gmail.statement()
    assert places(statement, ALL) == {"elsewhere": 2, "here": 1, "deleted": 1}
    digests = mailbox(statement, ALL)["digests"]
    assert digests["elsewhere"]["house"] == {"message_ids": sha256("a\ns\n")}
    assert places(statement, "INBOX") == {"here": 1, "moved": 1}


def test_another_message_in_the_place_of_one_is_no_proof(world: World) -> None:
    world.fetch()
    world.local.boxes["Google/INBOX"].messages[2] = "x"
    statement = world.statement()
    assert not statement["complete"]
    inbox = mailbox(statement, "INBOX")
    assert (inbox["complete"], inbox["differs"]) == (False, [2])
    digests = inbox["digests"]["here"]
    assert digests["provider"]["message_ids"] != digests["house"]["message_ids"]


def test_what_is_to_come_is_not_complete(world: World) -> None:
    world.fetch()
    world.remote.boxes["INBOX"].add("e")
    world.remote.boxes["New"] = boxes(New="n")["New"]
    statement = world.statement()
    assert not statement["complete"]
    assert places(statement, "INBOX") == {"here": 3, "to_come": 1}
    assert places(statement, "New") == {"to_come": 1}
    assert mailbox(statement, "Work")["complete"]


def test_what_is_refused_is_named(world: World) -> None:
    world.remote.refused = {2}
    world.fetch()
    statement = world.statement()
    assert not statement["complete"]
    assert places(statement, "INBOX") == {"here": 2, "refused": 1}
    (entry,) = mailbox(statement, "INBOX")["refused"]
    assert (entry["uid"], entry["reason"], entry["by"]) == (2, "NO cannot", "provider")


def test_what_the_provider_does_not_tell_of_is_no_proof(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.fetch()
    message_ids = FakeRemote.message_ids
    monkeypatch.setattr(
        FakeRemote,
        "message_ids",
        lambda self, uids: message_ids(self, [uid for uid in uids if uid != 2]),
    )
    statement = world.statement()
    assert mailbox(statement, "INBOX")["differs"] == [2]
    assert not statement["complete"]


def test_a_mailbox_that_the_provider_closes_is_not_complete(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.fetch()
    examine = FakeRemote.examine

    def closed(self: FakeRemote, raw: str) -> MailboxStatus:
        if raw == "Work":
            raise MailboxError("[NOPERM] no")
        return examine(self, raw)

    monkeypatch.setattr(FakeRemote, "examine", closed)
    statement = world.statement()
    assert not statement["complete"]
    assert {"name": "Work", "rule": "refused", "detail": "[NOPERM] no", "messages": None} in statement[
        "not_fetched"
    ]


def test_a_statement_changes_nothing(world: World) -> None:
    world.fetch()
    world.remote.boxes["INBOX"].add("e")
    before = (
        world.inside(),
        [path.read_bytes() for path in sorted(world.directory.rglob("*")) if path.is_file()],
    )
    world.statement()
    assert (
        world.inside(),
        [path.read_bytes() for path in sorted(world.directory.rglob("*")) if path.is_file()],
    ) == before
