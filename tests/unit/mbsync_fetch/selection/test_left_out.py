# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why mailboxes are not fetched."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.unit.mbsync_fetch.fakes.world import (
    ACCOUNT,
    FakeRemote,
    World,
    boxes,
)
from mbsync_fetch.imap.names import Mailbox
from mbsync_fetch.remote.account import MailboxError, MailboxStatus
from mbsync_fetch.selection.left_out import left_out
from mbsync_fetch.selection.selection import select
from mbsync_fetch.status.report import NotFetched

NAMES = {
    "INBOX": "",
    "Work": "",
    "Work/Old": "",
    "[Gmail]": "\\noselect",
    "[Gmail]/All Mail": "\\all",
    "[Gmail]/Spam": "\\junk",
    "[Gmail]/Spam/Worse": "",
    "[Gmail]/Bin": "\\trash",
    "[Gmail]/Drafts": "\\drafts",
    "[Gmail]/Starred": "\\flagged",
    "[Gmail]/Important": "\\important",
    "[Gmail]/Chats": "",
}
LISTED = [Mailbox(raw, "/", frozenset({flag} - {""})) for raw, flag in NAMES.items()]
BY_USE = {
    "[Gmail]": ("unselectable", ""),
    "[Gmail]/Spam": ("spam", ""),
    "[Gmail]/Spam/Worse": ("spam", ""),
    "[Gmail]/Bin": ("trash", ""),
    "[Gmail]/Drafts": ("drafts", ""),
    "[Gmail]/Starred": ("view", ""),
    "[Gmail]/Important": ("view", ""),
}
CASES: dict[str, tuple[dict[str, Any], dict[str, tuple[str, str]]]] = {
    "by use": ({}, BY_USE),
    "by a pattern": (
        {"skip_mailboxes": ("work*", "[Gmail]/Chats")},
        BY_USE
        | {"Work": ("skip_mailboxes", "work*"), "Work/Old": ("skip_mailboxes", "work*")}
        | {"[Gmail]/Chats": ("skip_mailboxes", "[Gmail]/Chats")},
    ),
    "in none of the patterns": (
        {"mailboxes": ("INBOX", "[Gmail]/Bin", "[Gmail]/*")},
        {name: rule for name, rule in BY_USE.items() if name != "[Gmail]/Bin"}
        | {"Work": ("mailboxes", ""), "Work/Old": ("mailboxes", "")},
    ),
    "labels": (
        {"labelled": True},
        BY_USE | {"Work": ("label", ""), "Work/Old": ("label", ""), "[Gmail]/Chats": ("label", "")},
    ),
    "labels as folders": ({"labelled": True, "labels": True}, BY_USE | {"[Gmail]/Chats": ("label", "")}),
}


@pytest.mark.parametrize("case", CASES)
def test_each_mailbox_is_fetched_or_left_out_by_a_rule(case: str) -> None:
    settings, expected = CASES[case]
    account = replace(ACCOUNT, **settings)
    fetched = {folder.raw for folder in select(account, LISTED, {}).mailboxes}
    found = left_out(account, LISTED, fetched)
    assert {one.name: (one.rule, one.detail) for one in found} == expected
    assert sorted(itertools.chain(fetched, expected)) == sorted(NAMES)


def test_a_fetch_says_what_it_leaves_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(
        tmp_path, FakeRemote(boxes(INBOX="a", Junk="b", Closed="c", **{"Grüße": "d"}), {"Junk": "\\junk"})
    )
    status = FakeRemote.status

    def closed(self: FakeRemote, raw: str) -> MailboxStatus:
        if raw == "Closed":
            raise MailboxError("[NOPERM] no")
        if raw == "Grüße":
            raise MailboxError("[CANNOT] no command can hold its name")
        return status(self, raw)

    monkeypatch.setattr(FakeRemote, "status", closed)
    world.fetch()
    assert world.kept.not_fetched == (
        NotFetched("Junk", "spam"),
        NotFetched("Closed", "refused", "[NOPERM] no"),
        NotFetched("Grüße", "unaskable"),
    )
