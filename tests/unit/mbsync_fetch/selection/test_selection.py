# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which mailboxes are fetched and where they land, for what providers really list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from mbsync_fetch.account.settings import Account
from mbsync_fetch.imap.names import Mailbox, encode, parse_list
from mbsync_fetch.selection.selection import select


def account(**values: Any) -> Account:
    settings: dict[str, Any] = {
        "name": "provider",
        "host": "imap.provider.test",
        "port": 993,
        "ca_file": "/ca.pem",
        "username": "il@provider.test",
        "mechanism": "password",
        "owner": "il@ilnmors.internal",
        "folder": "P",
        "inbox": False,
        "labelled": False,
        "labels": False,
        "mailboxes": (),
        "skip_mailboxes": (),
        "mirror": False,
        "daily_megabytes": None,
        "metrics": False,
        "timeout": 60,
        "local_socket": "/run/mbsync-fetch-house/provider",
    }
    return Account(**{**settings, **values})


def listed(text: str) -> list[Mailbox]:
    """Read LIST replies, as a server writes them; Korean names may be written in Korean."""
    mailboxes = [parse_list(encode(line.strip()).encode()) for line in text.strip().splitlines()]
    assert None not in mailboxes
    return [mailbox for mailbox in mailboxes if mailbox]


GMAIL = listed(r"""
    (\HasNoChildren) "/" "INBOX"
    (\HasNoChildren) "/" "Receipts"
    (\HasChildren) "/" "Work"
    (\HasNoChildren) "/" "Work/Clients"
    (\HasChildren \Noselect) "/" "[Gmail]"
    (\All \HasNoChildren) "/" "[Gmail]/All Mail"
    (\HasNoChildren) "/" "[Gmail]/Chats"
    (\Drafts \HasNoChildren) "/" "[Gmail]/Drafts"
    (\HasNoChildren \Important) "/" "[Gmail]/Important"
    (\HasNoChildren \Sent) "/" "[Gmail]/Sent Mail"
    (\HasNoChildren \Junk) "/" "[Gmail]/Spam"
    (\Flagged \HasNoChildren) "/" "[Gmail]/Starred"
    (\HasNoChildren \Trash) "/" "[Gmail]/Trash"
""")
GMAIL_KOREAN = listed(r"""
    (\HasNoChildren) "/" "INBOX"
    (\HasChildren \Noselect) "/" "[Gmail]"
    (\HasNoChildren \Trash) "/" "[Gmail]/휴지통"
    (\Flagged \HasNoChildren) "/" "[Gmail]/별표편지함"
    (\HasNoChildren \Junk) "/" "[Gmail]/스팸함"
    (\Drafts \HasNoChildren) "/" "[Gmail]/임시보관함"
    (\All \HasNoChildren) "/" "[Gmail]/전체보관함"
    (\HasNoChildren \Important) "/" "[Gmail]/중요"
    (\HasNoChildren \Sent) "/" "[Gmail]/보낸편지함"
    (\HasChildren) "/" "가족"
    (\HasNoChildren) "/" "가족/사진"
    (\HasNoChildren) "/" "Archive"
""")
NAVER = listed(r"""
    (\HasNoChildren) "/" "INBOX"
    (\HasNoChildren) "/" "Sent Messages"
    (\HasNoChildren) "/" "Drafts"
    (\HasNoChildren) "/" "Deleted Messages"
    (\HasNoChildren) "/" "Junk"
    (\HasNoChildren) "/" "내게쓴메일함"
    (\HasNoChildren) "/" "프로모션"
    (\HasNoChildren) "/" "청구·결제"
""")
OUTLOOK = listed(r"""
    (\HasNoChildren) "/" Archive
    (\HasChildren \Trash) "/" Deleted
    (\HasNoChildren) "/" "Deleted/Old project"
    (\HasNoChildren \Drafts) "/" Drafts
    (\Marked \HasChildren) "/" Inbox
    (\HasNoChildren) "/" Inbox/Bills
    (\HasNoChildren \Junk) "/" Junk
    (\HasNoChildren) "/" Notes
    (\HasNoChildren) "/" Outbox
    (\HasChildren \Sent) "/" Sent
    (\HasNoChildren) "/" "Sent/2019"
""")
CYRUS = listed(r"""
    (\HasChildren) "." INBOX
    (\HasNoChildren \Archive) "." INBOX.Archive
    (\HasNoChildren \Drafts) "." INBOX.Drafts
    (\HasNoChildren \Sent) "." "INBOX.Sent Items"
    (\HasNoChildren \Trash) "." INBOX.Trash
    (\HasChildren) "." INBOX.Work
    (\HasNoChildren) "." "INBOX.Work.R/D"
    (\HasNoChildren) "." INBOX.가족
""")
YAHOO = listed(r"""
    (\Archive \HasNoChildren) "/" "Archive"
    (\Junk \HasNoChildren) "/" "Bulk"
    (\Drafts \HasNoChildren) "/" "Draft"
    (\HasNoChildren) "/" "Inbox"
    (\Sent \HasNoChildren) "/" "Sent"
    (\Trash \HasNoChildren) "/" "Trash"
    (\HasNoChildren) "/" "v1.2"
""")
ICLOUD = listed(r"""
    (\HasNoChildren) "/" INBOX
    (\HasNoChildren \Archive) "/" "Archive"
    (\HasNoChildren \Trash) "/" "Deleted Messages"
    (\HasNoChildren \Drafts) "/" "Drafts"
    (\HasNoChildren \Junk) "/" "Junk"
    (\HasNoChildren) "/" "Notes"
    (\HasNoChildren \Sent) "/" "Sent Messages"
    (\Noinferiors \NonExistent) "/" "Gone"
""")
NAVER_SKIPS = ("Drafts", "Deleted Messages", "Junk")


@pytest.mark.parametrize(
    ("mailboxes", "settings", "landing"),
    [
        pytest.param(
            GMAIL,
            {"labelled": True},
            {"INBOX": "P/INBOX", "[Gmail]/Sent Mail": "P/Sent", "[Gmail]/All Mail": "P/Archive"},
            id="Gmail",
        ),
        pytest.param(
            GMAIL,
            {"labelled": True, "labels": True, "inbox": True},
            {
                "INBOX": "INBOX",
                "Receipts": "P/Receipts",
                "[Gmail]/Sent Mail": "P/Sent",
                "Work": "P/Work",
                "Work/Clients": "P/Work/Clients",
                "[Gmail]/All Mail": "P/Archive",
            },
            id="Gmail's labels",
        ),
        pytest.param(
            GMAIL_KOREAN,
            {"labelled": True},
            {"INBOX": "P/INBOX", "[Gmail]/보낸편지함": "P/Sent", "[Gmail]/전체보관함": "P/Archive"},
            id="Gmail in Korean",
        ),
        pytest.param(
            GMAIL_KOREAN,
            {"labelled": True, "labels": True, "skip_mailboxes": ("가족",)},
            {
                "INBOX": "P/INBOX",
                "Archive": "P/Archive (2)",
                "[Gmail]/보낸편지함": "P/Sent",
                "가족/사진": "P/가족/사진",
                "[Gmail]/전체보관함": "P/Archive",
            },
            id="Gmail's labels in Korean",
        ),
        pytest.param(
            NAVER,
            {"skip_mailboxes": NAVER_SKIPS},
            {
                "INBOX": "P/INBOX",
                "Sent Messages": "P/Sent Messages",
                "내게쓴메일함": "P/내게쓴메일함",
                "청구·결제": "P/청구·결제",
                "프로모션": "P/프로모션",
            },
            id="Naver",
        ),
        pytest.param(
            OUTLOOK,
            {"skip_mailboxes": ("outbox", "NOTES")},
            {
                "INBOX": "P/INBOX",
                "Archive": "P/Archive",
                "Inbox/Bills": "P/INBOX/Bills",
                "Sent": "P/Sent",
                "Sent/2019": "P/Sent/2019",
            },
            id="Outlook",
        ),
        pytest.param(
            CYRUS,
            {},
            {
                "INBOX": "P/INBOX",
                "INBOX.Archive": "P/Archive",
                "INBOX.Sent Items": "P/Sent",
                "INBOX.Work": "P/Work",
                "INBOX.Work.R/D": "P/Work/R_D",
                "INBOX.가족": "P/가족",
            },
            id="Cyrus",
        ),
        pytest.param(
            YAHOO,
            {},
            {"INBOX": "P/INBOX", "Archive": "P/Archive", "Sent": "P/Sent", "v1.2": "P/v1_2"},
            id="Yahoo",
        ),
        pytest.param(
            ICLOUD,
            {},
            {"INBOX": "P/INBOX", "Archive": "P/Archive", "Notes": "P/Notes", "Sent Messages": "P/Sent"},
            id="iCloud",
        ),
    ],
)
def test_what_a_provider_lists_lands_where_it_should(
    mailboxes: Sequence[Mailbox], settings: dict[str, Any], landing: dict[str, str]
) -> None:
    made = select(account(**settings), mailboxes, {})
    assert {selected.raw: selected.folder for selected in made.mailboxes} == {
        encode(raw): local for raw, local in landing.items()
    }
    assert [selected.raw for selected in made.mailboxes] == [encode(raw) for raw in landing]
    assert made.unmatched == []


@pytest.mark.parametrize(
    ("mailboxes", "settings", "chosen", "unmatched"),
    [
        (GMAIL, {"mailboxes": ("INBOX", "Work*")}, ["INBOX", "Work", "Work/Clients"], []),
        (GMAIL, {"mailboxes": ("trash", "work/clients")}, ["[Gmail]/Trash", "Work/Clients"], []),
        (GMAIL, {"mailboxes": ("Receipts", "Wrok", "[Gmail]")}, ["Receipts"], ["Wrok", "[Gmail]"]),
        # "[" stands for itself, and what is skipped is chosen by its name alone.
        (
            GMAIL,
            {"mailboxes": ("[Gmail]/*",)},
            ["[Gmail]/Chats", "[Gmail]/Sent Mail", "[Gmail]/All Mail"],
            [],
        ),
        (GMAIL, {"mailboxes": ("*Spam",)}, [], ["*Spam"]),
        (
            GMAIL,
            {"mailboxes": ("*", "Spam"), "skip_mailboxes": ("Work*", "[*")},
            ["INBOX", "Receipts"],
            ["Spam"],
        ),
        (GMAIL, {"mailboxes": ("[Gmail]/Starred",)}, ["[Gmail]/Starred"], []),
        (
            GMAIL,
            {"mailboxes": ("[Gmail]/Starred", "[Gmail]/Important"), "labelled": True},
            [],
            ["[Gmail]/Starred", "[Gmail]/Important"],
        ),
        (
            GMAIL,
            {"labelled": True, "skip_mailboxes": ("[Gmail]/All Mail",)},
            ["INBOX", "[Gmail]/Sent Mail"],
            [],
        ),
        (
            GMAIL[:4],
            {"labelled": True, "labels": True},
            ["INBOX", "Receipts", "Work", "Work/Clients"],
            ["\\All"],
        ),
        (GMAIL_KOREAN, {"mailboxes": ("*사진",)}, ["가족/사진"], []),
        (GMAIL_KOREAN, {"mailboxes": (encode("가족"),)}, ["가족"], []),
        # A mailbox of this name comes before the special use.
        (GMAIL_KOREAN, {"mailboxes": ("Archive",)}, ["Archive"], []),
        (OUTLOOK, {"mailboxes": ("Deleted/Old project",)}, ["Deleted/Old project"], []),
        (OUTLOOK, {"mailboxes": ("inbox/*",)}, ["Inbox/Bills"], []),
        (CYRUS, {"mailboxes": ("INBOX.Work.*", "Work")}, ["INBOX.Work", "INBOX.Work.R/D"], []),
        (CYRUS, {"mailboxes": ("inbox/work/r/d",)}, ["INBOX.Work.R/D"], []),
        (ICLOUD, {"mailboxes": ("Gone",)}, [], ["Gone"]),
        ([], {}, [], []),
    ],
)
def test_the_owner_chooses(
    mailboxes: Sequence[Mailbox], settings: dict[str, Any], chosen: list[str], unmatched: list[str]
) -> None:
    made = select(account(**settings), mailboxes, {})
    assert [selected.raw for selected in made.mailboxes] == [encode(raw) for raw in chosen]
    assert made.unmatched == unmatched


def test_a_mailbox_has_the_role_of_its_special_use() -> None:
    everything = select(
        account(mailboxes=("INBOX", "Trash", "Junk", "Drafts", "Sent", "[Gmail]/A*")), GMAIL, {}
    )
    assert {selected.folder: selected.role for selected in everything.mailboxes} == {
        "P/INBOX": "inbox",
        "P/Drafts": "drafts",
        "P/Junk": "junk",
        "P/Sent": "sent",
        "P/Trash": "trash",
        "P/Archive": "all",
    }


@pytest.mark.parametrize(
    ("raw", "delimiter", "folder"),
    [
        ("a.b", "/", "P/a_b"),
        ("a/b", ".", "P/a_b"),
        ("a/b", None, "P/a_b"),
        ("a.b", ".", "P/a/b"),
        ("a\\b", "\\", "P/a/b"),
        ("100%*", "/", "P/100__"),
        (".", "/", "P/_"),
        ("../..", "/", "P/__/__"),
        ("/etc//passwd/", "/", "P/_/etc/_/passwd/_"),
        ("~/~il", "/", "P/_/_il"),
        (" a / b ", "/", "P/a/b"),
        ("&AAo-a&AAA-b&AH8-", "/", "P/_a_b_"),
        ("&ICg-", "/", "P/_"),
        # Composed and decomposed letters are one (macOS decomposes names).
        (encode("\u1100\u1161"), "/", "P/가"),
        ("받은메일함", "/", "P/받은메일함"),
        ("R&D", "/", "P/R&D"),
        ('"\\', "/", 'P/"\\'),
        ("INBOX/Sub", "/", "P/INBOX/Sub"),
        ("inbox.Sub.Sub", ".", "P/INBOX/Sub/Sub"),
    ],
)
def test_a_name_is_made_harmless(raw: str, delimiter: str | None, folder: str) -> None:
    mailboxes = [Mailbox(raw, delimiter, frozenset()), Mailbox("other", delimiter, frozenset())]
    made = select(account(), mailboxes, {})
    assert {selected.raw: selected.folder for selected in made.mailboxes}[raw] == folder


@pytest.mark.parametrize(
    "raw",
    [
        "x" * 300,
        encode("가" * 200),
        encode("📧" * 100),
        "/".join(["long level"] * 40),
        "/".join("x" * 300),
        encode("/".join(["아주 긴 이름" * 6] * 3)),
    ],
)
def test_a_long_name_is_cut_to_what_a_directory_name_holds(raw: str) -> None:
    """A folder is one directory: "." and its name in modified UTF-7, of 255 bytes (NAME_MAX)."""
    mailboxes = [Mailbox(raw + end, "/", frozenset()) for end in ("", "y", "z")]
    folders = [selected.folder for selected in select(account(), mailboxes, {}).mailboxes]
    assert len(set(folders)) == 3
    for local in folders:
        assert 200 < len(encode(local)) <= 254
        assert all(level == level.strip() and level for level in local.split("/"))


def test_no_two_mailboxes_land_in_one_folder() -> None:
    mailboxes = [
        Mailbox(raw, "/", flags)
        for raw, flags in [
            ("work", frozenset[str]()),
            ("Work", frozenset[str]()),
            ("WORK/Sub", frozenset[str]()),
            ("Work/sub", frozenset[str]()),
            ("a.b", frozenset[str]()),
            ("a*b", frozenset[str]()),
            ("Sent", frozenset[str]()),
            ("Gesendet", frozenset({"\\sent"})),
            ("Gesendet/2019", frozenset[str]()),
            ("Everything", frozenset({"\\all"})),
            ("Old", frozenset({"\\archive"})),
            ("Sent Messages", frozenset({"\\sent"})),
        ]
    ]
    landing = {
        "Gesendet": "P/Sent",
        "Old": "P/Archive",
        "Everything": "P/Everything",
        "Gesendet/2019": "P/Sent/2019",
        "Sent Messages": "P/Sent Messages",
        "Sent": "P/Sent (2)",
        "WORK/Sub": "P/WORK/Sub",
        "Work": "P/Work",
        "Work/sub": "P/Work/sub (2)",
        "a*b": "P/a_b",
        "a.b": "P/a_b (2)",
        "work": "P/work (2)",
    }
    for order in (mailboxes, mailboxes[::-1]):
        made = select(account(), order, {})
        assert {selected.raw: selected.folder for selected in made.mailboxes} == landing


def test_a_folder_keeps_its_name() -> None:
    """What landed somewhere stays there, and so does what is no longer listed."""
    mailboxes = [
        Mailbox("Sent", "/", frozenset({"\\sent"})),
        Mailbox("Sent/2019", "/", frozenset()),
        Mailbox("INBOX", "/", frozenset()),
        Mailbox("gone", "/", frozenset()),
    ]
    assigned = {"INBOX": "INBOX", "Sent": "Old/Post", "Gone": "P/Gone"}
    made = select(account(), mailboxes, assigned)
    assert {selected.raw: selected.folder for selected in made.mailboxes} == {
        "INBOX": "INBOX",
        "Sent": "Old/Post",
        "Sent/2019": "Old/Post/2019",
        "gone": "P/gone (2)",
    }


def test_a_special_use_by_another_name_keeps_its_folder() -> None:
    """As when the owner changes Gmail's language: the names change, and nothing else."""
    labelled = account(labelled=True)
    assigned = {selected.raw: selected.folder for selected in select(labelled, GMAIL, {}).mailboxes}
    made = select(labelled, GMAIL_KOREAN, assigned)
    assert [selected.folder for selected in made.mailboxes] == ["P/INBOX", "P/Sent", "P/Archive"]
    assigned |= {selected.raw: selected.folder for selected in made.mailboxes}
    back = select(labelled, GMAIL, assigned)
    assert [selected.folder for selected in back.mailboxes] == ["P/INBOX", "P/Sent", "P/Archive"]


def test_the_folders_of_a_plan_are_their_own_assignment() -> None:
    for mailboxes in (GMAIL, GMAIL_KOREAN, NAVER, OUTLOOK, CYRUS, YAHOO, ICLOUD):
        first = select(account(), mailboxes, {})
        assigned = {selected.raw: selected.folder for selected in first.mailboxes}
        assert select(account(folder="New"), mailboxes[::-1], assigned) == first
