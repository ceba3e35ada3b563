# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What mailboxes are for, where only their names say it: lists as real accounts have them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._site.provider_profiles import PROFILES
from ansible_collections.ilnmors.mail.tests.unit.mbsync_fetch.fakes.world import ACCOUNT
from mbsync_fetch.imap.names import Mailbox, encode, parse_list
from mbsync_fetch.remote.special_use import with_special_uses
from mbsync_fetch.selection.selection import select

# https://github.com/nextcloud/mail/issues/3401
ICLOUD = r"""
(\Noinferiors) "/" "INBOX"
() "/" "Archive"
() "/" "Deleted Messages"
() "/" "Drafts"
() "/" "Junk"
() "/" "Notes"
() "/" "Sent Messages"
"""
# https://github.com/huacnlee/omamail/pull/90
OUTLOOK = r"""
(\HasNoChildren) "/" INBOX
(\HasNoChildren) "/" Archive
(\HasNoChildren) "/" "Deleted Items"
(\HasNoChildren) "/" Drafts
(\HasNoChildren) "/" "Junk Email"
(\HasNoChildren) "/" "Sent Items"
(\HasNoChildren) "/" "Junk Drawer"
"""
# https://github.com/mjs/imapclient/issues/419
PERSONAL_OUTLOOK = r"""
(\HasNoChildren) "/" Inbox
(\HasNoChildren) "/" Deleted
(\HasNoChildren) "/" Drafts
(\HasNoChildren) "/" Junk
(\HasNoChildren) "/" Sent
"""
# https://github.com/jstedfast/MailKit/issues/242
YAHOO = r"""
(\HasNoChildren) "/" "Bulk Mail"
(\HasNoChildren) "/" "Draft"
(\HasNoChildren) "/" "Inbox"
(\HasNoChildren) "/" "Notes"
(\HasNoChildren) "/" "Sent"
(\HasNoChildren) "/" "Trash"
"""
# What it says of itself counts.
YAHOO_SAYING_SO = r"""
(\HasNoChildren \Junk) "/" "Bulk"
(\HasNoChildren \Drafts) "/" "Draft"
(\HasNoChildren) "/" "Inbox"
(\HasNoChildren \Sent) "/" "Sent"
(\HasNoChildren) "/" "Spam"
(\HasNoChildren \Trash) "/" "Trash"
"""
NAVER = r"""
(\HasNoChildren) "/" "INBOX"
(\HasNoChildren) "/" "Sent Messages"
(\HasNoChildren) "/" "Drafts"
(\HasNoChildren) "/" "Deleted Messages"
(\HasNoChildren) "/" "Junk"
(\HasNoChildren) "/" "내게쓴메일함"
"""
DAUM = NAVER.replace("Junk", "스팸편지함").replace("내게쓴메일함", "내게쓴편지함")
PLAIN = r"""
(\HasNoChildren) "." "INBOX"
(\HasNoChildren) "." "INBOX.Sent Items"
(\HasNoChildren) "." "INBOX.Drafts"
(\HasNoChildren) "." "INBOX.Spam"
(\HasNoChildren) "." "INBOX.Trash"
(\HasNoChildren) "." "INBOX.Work"
"""
HALF = r"""
(\HasNoChildren) "/" "INBOX"
(\HasNoChildren \Sent) "/" "Gesendet"
(\HasNoChildren) "/" "Sent"
(\HasNoChildren) "/" "Trash"
"""


def listed(text: str) -> list[Mailbox]:
    found = [parse_list(encode(line).encode()) for line in text.strip().splitlines()]
    return [mailbox for mailbox in found if mailbox]


@pytest.mark.parametrize(
    ("profile", "text", "folders"),
    [
        (
            "icloud",
            ICLOUD,
            {"INBOX": "P/INBOX", "Archive": "P/Archive", "Notes": "P/Notes", "Sent Messages": "P/Sent"},
        ),
        (
            "outlook",
            OUTLOOK,
            {
                "INBOX": "P/INBOX",
                "Archive": "P/Archive",
                "Junk Drawer": "P/Junk Drawer",
                "Sent Items": "P/Sent",
            },
        ),
        ("outlook", PERSONAL_OUTLOOK, {"INBOX": "P/INBOX", "Sent": "P/Sent"}),
        ("yahoo", YAHOO, {"INBOX": "P/INBOX", "Notes": "P/Notes", "Sent": "P/Sent"}),
        ("yahoo", YAHOO_SAYING_SO, {"INBOX": "P/INBOX", "Spam": "P/Spam", "Sent": "P/Sent"}),
        ("naver", NAVER, {"INBOX": "P/INBOX", "Sent Messages": "P/Sent", "내게쓴메일함": "P/내게쓴메일함"}),
        ("daum", DAUM, {"INBOX": "P/INBOX", "Sent Messages": "P/Sent", "내게쓴편지함": "P/내게쓴편지함"}),
        ("kakao", DAUM, {"INBOX": "P/INBOX", "Sent Messages": "P/Sent", "내게쓴편지함": "P/내게쓴편지함"}),
        ("custom", PLAIN, {"INBOX": "P/INBOX", "INBOX.Sent Items": "P/Sent", "INBOX.Work": "P/Work"}),
        # A server that says something is taken at its word.
        (
            "custom",
            HALF,
            {"INBOX": "P/INBOX", "Gesendet": "P/Sent", "Sent": "P/Sent (2)", "Trash": "P/Trash"},
        ),
        (
            "fastmail",
            HALF,
            {"INBOX": "P/INBOX", "Gesendet": "P/Sent", "Sent": "P/Sent (2)", "Trash": "P/Trash"},
        ),
    ],
)
def test_what_is_spam_or_sent_is_known_by_its_name(profile: str, text: str, folders: dict[str, str]) -> None:
    mailboxes = with_special_uses(
        listed(text), {str(use): names for use, names in PROFILES[profile].uses.items()}
    )
    found = select(replace(ACCOUNT, folder="P"), mailboxes, {}).mailboxes
    assert {selected.raw: selected.folder for selected in found} == {
        encode(raw): house for raw, house in folders.items()
    }
