"""Mail that another program fetched before is taken over, and the provider does not notice."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support import provider_mailboxes as at_provider
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.provider_side import quoted
from testinfra.host import Host

NAME, ACCOUNT, PASSWORD = "naver", "il@naver.test", "naver-lab-password"
OWNER, FOLDER = "guest", "Naver"
ADOPT = f"PYTHONPATH=/usr/local/lib/mbsync-fetch python3 -B -m mbsync_fetch.importer {NAME}"
HOLD = f"/etc/mbsync-fetch/accounts/{NAME}.hold"
UNIT = f"mbsync-fetch@{NAME}.service"
STATE = "FarUidValidity {validity}\nNearUidValidity 1\nMaxPulledUid 2\nMaxPushedUid 2\n\n1 1 FS\n2 2 S\n"


@dataclass(frozen=True)
class Old:
    """A mailbox at the provider, and the directory of its Maildir on the mail host, which only root reads."""

    mailbox: str
    directory: str
    mail: Host

    def put(self, message: EmailMessage, name: str) -> None:
        """Put a message into the Maildir, as if it had arrived in 2023."""
        path = f"{self.directory}/Maildir/cur/{name}"
        self.mail.check_output("printf %s %s > %s", "%s", message.as_string(), path)
        self.mail.check_output("touch -d 2023-11-14T22:13:20Z %s", path)

    def files(self) -> str:
        """Return all that is there, with its bytes and dates."""
        return str(
            self.mail.check_output(
                f"cd {self.directory} && find . -type f -printf '%p %T@ %m ' -exec sha256sum {{}} \\; | sort"
            )
        )


@pytest.fixture(name="old")
def fixture_old(house: House, mail: Host, provider: Host) -> Iterator[Old]:
    old = Old(f"옛 편지 {uuid.uuid4()}", f"/root/old-{uuid.uuid4()}", mail)
    mail.check_output(f"install -D /dev/null {HOLD}")
    for directory in ("", "/Maildir/cur", "/Maildir/new", "/Maildir/tmp"):
        mail.check_output(f"install -d -m 0700 {old.directory}{directory}")
    # A fetch that began before ends before this does.
    mail.check_output(f"systemctl start {UNIT}")
    at_provider.create(provider, ACCOUNT, old.mailbox)
    yield old
    at_provider.delete(provider, ACCOUNT, old.mailbox)
    mail.check_output(f"rm -rf {HOLD} {old.directory}")
    with house.imap(OWNER) as client:
        client.delete(quoted(f"{FOLDER}/{old.mailbox}").decode())


def content(client: Any, mailbox: str) -> dict[str, str]:
    """Return what a mailbox has: the flags and dates of its messages, by Message-ID."""
    name = quoted(mailbox).decode()
    assert client.select(name, readonly=True)[0] == "OK"
    found = {}
    for part in client.fetch("1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[1]:
        if isinstance(part, tuple):
            found[part[1].decode().split()[1]] = (
                part[0].decode().replace(" \\Recent", "").replace("\\Recent", "")
            )
    return found


def at_the_provider(provider_ca: str, mailbox: str) -> tuple[int, dict[str, str]]:
    """Return the UIDVALIDITY of a mailbox at the provider, and what it has."""
    with clients.imap("imap.naver.test", provider_ca) as client:
        client.login(ACCOUNT, PASSWORD)
        found = content(client, mailbox)
        return int(client.response("UIDVALIDITY")[1][0] or 0), found


def test_what_was_fetched_before_is_taken_over(
    house: House, mail: Host, provider: Host, provider_ca: str, old: Old
) -> None:
    kept, deleted, new = (at_provider.deliver(provider, ACCOUNT, old.mailbox) for __ in range(3))
    gone = clients.message("friend@elsewhere.test", ACCOUNT, "No longer at the provider.\n")
    old.put(kept, "1.M1.host,U=1:2,FS")
    old.put(gone, "3.M1.host,U=3:2,")
    validity, before = at_the_provider(provider_ca, old.mailbox)
    mail.check_output(
        "printf %s %s > %s", "%s", STATE.format(validity=validity), f"{old.directory}/Maildir/.mbsyncstate"
    )
    files = old.files()
    command = f"{ADOPT} --mailbox '{old.mailbox}' --maildir {old.directory}/Maildir"
    assert mail.check_output(command).splitlines() == [
        f"{old.mailbox}: 2 of 2 old messages were stored in {FOLDER}/{old.mailbox}",
        f"{old.mailbox}: 1 of 3 messages are still to be fetched",
    ]
    # Nothing is fetched meanwhile.
    mail.check_output(f"systemctl start {UNIT}")
    assert f"0 of 2 old messages were stored in {FOLDER}" in mail.check_output(command)
    mail.check_output(f"rm {HOLD} && systemctl start {UNIT}")
    with house.imap(OWNER) as client:
        landed = content(client, f"{FOLDER}/{old.mailbox}")
    assert landed.keys() == {kept["Message-ID"], gone["Message-ID"], new["Message-ID"]}
    assert deleted["Message-ID"] in before
    assert "\\Flagged \\Seen" in landed[kept["Message-ID"]]
    assert "14-Nov-2023 22:13:20 +0000" in landed[kept["Message-ID"]]
    assert at_the_provider(provider_ca, old.mailbox) == (validity, before)
    assert old.files() == files
