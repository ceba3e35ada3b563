# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Mail that arrives at a provider appears in the house where it should, and the provider's mailbox stays as it was."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support import provider_mailboxes as at_provider
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.provider_snapshot import (
    Snapshot,
    differences,
    epoch,
    listed,
    quoted,
    snapshot,
    words,
)
from ansible_collections.ilnmors.mail.tests.behaviour.support.sieve_scripts import MARK, script
from mbsync_fetch.imap.names import decode, encode
from testinfra.host import Host

pytestmark = pytest.mark.usefixtures("provider")

ACCOUNT = "/etc/mbsync-fetch/accounts/{name}.json"
OLD = datetime(2003, 2, 1, 4, 5, 6, tzinfo=UTC)
SEEN, FLAGGED = frozenset({"\\Seen"}), frozenset({"\\Flagged"})
NONE: frozenset[str] = frozenset()
SHOWN = "(FLAGS INTERNALDATE)"
FOUND = re.compile(rb'FLAGS \((?P<flags>[^)]*)\) INTERNALDATE "(?P<date>[^"]+)"')


@dataclass
class Fetched:
    """An account of the lab that is fetched, and its owner's mailbox in the house. Folders are readable names."""

    name: str
    address: str
    owner: str
    house: House
    mail: Host
    provider: Host
    provider_ca: str
    delivered: list[tuple[str, str]] = field(default_factory=list)
    """Mailboxes and Message-IDs."""

    def deliver(
        self,
        mailboxes: Sequence[str] = ("INBOX",),
        flags: Sequence[str] = (),
        date: datetime | None = OLD,
        **headers: str,
    ) -> EmailMessage:
        """Let a message be in mailboxes at the provider. A date of None is now."""
        new = clients.message("friend@elsewhere.test", self.address, "From the world.\n")
        for name, value in headers.items():
            new[name] = value
        at_provider.deliver(self.provider, self.address, mailboxes, flags, date, new)
        self.delivered += [(mailbox, str(new["Message-ID"])) for mailbox in mailboxes]
        return new

    def leave(self) -> None:
        """Remove what was delivered, and let it be fetched again as ever."""
        self.mail.check_output(f"systemctl start {self.by_themselves}")
        for mailbox, message_id in self.delivered:
            at_provider.expunge(self.provider, self.address, mailbox, message_id)

    @property
    def by_themselves(self) -> str:
        """The units that start a fetch."""
        unit = f"mbsync-fetch@{self.name}"
        return f"{unit}.timer {unit}.path mbsync-fetch-watch@{self.name}.service"

    def alone(self) -> None:
        """Let nothing else fetch: one that is under way would be joined, and news are of the inbox alone."""
        self.mail.check_output(f"systemctl stop {self.by_themselves} mbsync-fetch@{self.name}.service")
        self.mail.check_output(f"rm -f /run/mbsync-fetch/{self.name}/news")

    def fetch(self) -> None:
        self.mail.check_output(f"systemctl start mbsync-fetch@{self.name}.service")

    def snapshot(self) -> Snapshot:
        provider = self.address.partition("@")[2].removesuffix(".test")
        with clients.imap(f"imap.{provider}.test", self.provider_ca) as client:
            client.login(self.address, f"{provider}-lab-password")
            return snapshot(client)

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """See that nothing changes at the provider."""
        before = self.snapshot()
        yield
        assert differences(before, self.snapshot()) == []

    def copies(self, sent: EmailMessage) -> list[tuple[str, frozenset[str], int]]:
        """Return where a message is in the house: of each copy the folder, its flags there and its INTERNALDATE."""
        copies = []
        with self.house.imap(self.owner) as client:
            for folder in listed(client.list()[1]):
                if client.select(quoted(folder), readonly=True)[0] != "OK":
                    continue
                uids = client.uid("SEARCH", "HEADER", "Message-ID", sent["Message-ID"])[1][0].split()
                for line in client.uid("FETCH", b",".join(uids).decode(), SHOWN)[1] if uids else ():
                    found = FOUND.search(line)
                    assert found, line
                    copies.append((decode(folder), words(found["flags"]), epoch(found["date"].decode())))
        return copies

    def folders(self, sent: EmailMessage) -> list[str]:
        """Return the folder of each copy of a message in the house."""
        return sorted(folder for folder, *__ in self.copies(sent))

    def do(self, sent: EmailMessage, folder: str, *command: str) -> None:
        """Do something to a message in the house."""
        with self.house.imap(self.owner) as client:
            uid = clients.find(client, str(sent["Message-ID"]), encode(folder))
            assert uid, f"not in {folder}"
            client.select(quoted(encode(folder)))
            status, said = client.uid(command[0], uid.decode(), *command[1:])
            assert status == "OK", said
            client.expunge()


Account = Callable[[str], Fetched]


@pytest.fixture
def account(house: House, mail: Host, provider: Host, provider_ca: str) -> Iterator[Account]:
    """Return what gives an account of the lab by its name."""
    made: list[Fetched] = []

    def find(name: str) -> Fetched:
        file = mail.file(ACCOUNT.format(name=name))
        if not file.exists:
            pytest.skip(f"needs the lab's account {name!r}")
        known = json.loads(file.content_string)
        owner = known["owner"].partition("@")[0]
        made.append(Fetched(name, known["username"], owner, house, mail, provider, provider_ca))
        made[-1].alone()
        return made[-1]

    yield find
    for one in made:
        one.leave()


@pytest.fixture
def kept(house: House) -> Iterator[str]:
    """Return a folder that the owner has made; both owners have it."""
    name = f"Kept {secrets.token_hex(4)}"
    for owner in ("il", "guest"):
        with house.imap(owner) as client:
            client.create(quoted(name))
    yield name
    for owner in ("il", "guest"):
        with house.imap(owner) as client:
            client.delete(quoted(name))


def test_it_appears_in_the_owners_mailbox(account: Account, house: House) -> None:
    gmail = account("gmail")
    sent = gmail.deliver()
    with gmail.untouched():
        for __ in range(2):
            gmail.fetch()
    assert gmail.folders(sent) == ["Google/INBOX"]
    with house.imap("il") as client:
        uid = clients.find(client, str(sent["Message-ID"]), "Google/INBOX")
        assert uid
        assert b"From the world." in clients.fetch(client, uid)


# --- pull only


def test_what_is_done_in_the_house_stays_there(account: Account, kept: str) -> None:
    naver = account("naver")
    deleted, moved, flagged = (naver.deliver() for __ in range(3))
    with naver.untouched():
        naver.fetch()
        naver.do(deleted, "Naver/INBOX", "STORE", "+FLAGS", r"(\Deleted)")
        naver.do(moved, "Naver/INBOX", "MOVE", quoted(kept))
        naver.do(flagged, "Naver/INBOX", "STORE", "FLAGS", r"(\Seen \Flagged)")
        naver.fetch()
    assert naver.copies(deleted) == []
    assert naver.folders(moved) == [kept]
    assert naver.copies(flagged) == [("Naver/INBOX", SEEN | FLAGGED, int(OLD.timestamp()))]


def test_what_is_deleted_at_the_provider_is_kept(account: Account) -> None:
    naver = account("naver")
    sent = naver.deliver()
    naver.fetch()
    at_provider.expunge(naver.provider, naver.address, "INBOX", str(sent["Message-ID"]))
    naver.fetch()
    assert naver.folders(sent) == ["Naver/INBOX"]


@pytest.fixture
def mirrored(account: Account, mail: Host) -> Iterator[Fetched]:
    """Return an account of which the house deletes what is deleted at the provider."""
    naver = account("naver")
    file = ACCOUNT.format(name=naver.name)
    before = mail.file(file).content_string
    mail.check_output(f'sed -i \'s/"mirror": false/"mirror": true/\' {file}')
    yield naver
    mail.check_output(f"printf %s > {file}", before)


def test_a_mirror_deletes_in_the_house_what_is_still_where_it_arrived(mirrored: Fetched, kept: str) -> None:
    deleted, moved, there = (mirrored.deliver() for __ in range(3))
    mirrored.fetch()
    mirrored.do(moved, "Naver/INBOX", "MOVE", quoted(kept))
    for sent in (deleted, moved):
        at_provider.expunge(mirrored.provider, mirrored.address, "INBOX", str(sent["Message-ID"]))
    with mirrored.untouched():
        mirrored.fetch()
    assert mirrored.folders(deleted) == []
    assert mirrored.folders(moved) == [kept]
    assert mirrored.folders(there) == ["Naver/INBOX"]
    # What the owner deletes there stays at the provider, as ever.
    mirrored.do(there, "Naver/INBOX", "STORE", "+FLAGS", r"(\Deleted)")
    with mirrored.untouched():
        mirrored.fetch()
    assert mirrored.folders(there) == []


def test_what_has_been_read_is_known_of_new_mail_alone(account: Account) -> None:
    naver = account("naver")
    unread, read = naver.deliver(), naver.deliver(flags=["\\Seen", "\\Flagged"])
    naver.fetch()
    date = int(OLD.timestamp())
    assert naver.copies(unread) == [("Naver/INBOX", NONE, date)]
    assert naver.copies(read) == [("Naver/INBOX", SEEN | FLAGGED, date)]
    which = ("mailbox", "INBOX", "header", "Message-ID", str(unread["Message-ID"]))
    naver.provider.check_output("doveadm flags add -u %s %s %s %s %s %s %s", naver.address, "\\Seen", *which)
    with naver.untouched():
        naver.fetch()
    assert naver.copies(unread) == [("Naver/INBOX", NONE, date)]


# --- where it lands


@pytest.mark.parametrize(
    ("name", "all_mail", "lands"),
    [
        (
            "gmail",
            "[Gmail]/All Mail",
            {
                ("INBOX",): ["Google/INBOX"],
                ("INBOX", "Receipts", "[Gmail]/Important"): ["Google/INBOX"],
                ("[Gmail]/Sent Mail",): ["Google/Sent"],
                ("Receipts/2026",): ["Google/Archive"],
                (): ["Google/Archive"],
            },
        ),
        (
            "hangul",
            "[Gmail]/전체보관함",
            {
                ("INBOX",): ["Google/INBOX"],
                ("영수증",): ["Google/영수증"],
                ("가족/사진", "[Gmail]/별표편지함"): ["Google/가족/사진"],
                (): ["Google/Archive"],
            },
        ),
    ],
    ids=["labels-are-left-out", "labels-are-folders"],
)
def test_gmails_labels_do_not_multiply_a_message(
    account: Account, name: str, all_mail: str, lands: dict[tuple[str, ...], list[str]]
) -> None:
    gmail = account(name)
    sent = {labels: gmail.deliver([all_mail, *labels]) for labels in lands}
    with gmail.untouched():
        gmail.fetch()
    assert {labels: gmail.folders(message) for labels, message in sent.items()} == lands


def test_gmails_drafts_stay_there(account: Account) -> None:
    gmail = account("gmail")
    draft = gmail.deliver(["[Gmail]/All Mail", "[Gmail]/Drafts"], ["\\Draft"])
    with gmail.untouched():
        gmail.fetch()
    assert gmail.folders(draft) == []


def test_odd_names_are_readable_and_shown(account: Account, house: House) -> None:
    odd = account("odd")
    sent = {
        mailbox: odd.deliver([mailbox])
        for mailbox in (
            "in/out",
            "메모.가족/사진",
            'He said "no"',
            "back\\slash",
            "AT&T",
            "100% *stars*",
            "~tilde and #hash",
        )
    }
    with odd.untouched():
        odd.fetch()
    assert {mailbox: odd.folders(message) for mailbox, message in sent.items()} == {
        "in/out": ["Odd/in_out"],
        "메모.가족/사진": ["Odd/메모/가족_사진"],
        'He said "no"': ['Odd/He said "no"'],
        "back\\slash": ["Odd/back\\slash"],
        "AT&T": ["Odd/AT&T"],
        "100% *stars*": ["Odd/100_ _stars_"],
        "~tilde and #hash": ["Odd/_tilde and #hash"],
    }
    with house.imap("il") as client:
        subscribed = {decode(name) for name in listed(client.lsub()[1])}
    assert {folder for message in sent.values() for folder in odd.folders(message)} <= subscribed


def test_inbox_mail_passes_the_owners_script_and_is_announced(
    account: Account, house: House, kept: str
) -> None:
    direct = account("direct")
    with (
        script(house, "guest", f'if header "{MARK}" "file" {{ fileinto "{kept}"; }}'),
        house.imap("guest") as client,
    ):
        client.select(quoted(kept), readonly=True)
        client.send(b"a IDLE\r\n")
        client.readline()
        plain = direct.deliver(date=None, **{MARK: "keep"})
        filed = direct.deliver(date=None, **{MARK: "file"})
        with direct.untouched():
            direct.fetch()
        client.sock.settimeout(clients.TIMEOUT)
        while b"EXISTS" not in (line := client.readline()):
            assert line, "the connection was closed"
        client.send(b"DONE\r\n")
        while not client.readline().startswith(b"a OK"):
            pass
    assert direct.folders(plain) == ["INBOX"]
    assert direct.folders(filed) == [kept]
