"""What a person reads in the journal: one clear line for each login, delivery and failure, and no password."""

from __future__ import annotations

import imaplib
import poplib
import secrets
from dataclasses import dataclass

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from testinfra.host import Host

NOBODY = "nobody-of-the-house"


@dataclass(frozen=True)
class Journal:
    """Dovecot's lines since a test began."""

    mail: Host
    since: str

    def lines(self, *words: str) -> list[str]:
        """Return the lines that have all of the words."""
        command = f"journalctl --unit dovecot --no-pager --quiet --output cat --since '{self.since}'"
        said = self.mail.check_output(command).splitlines()
        return [line for line in said if all(word in line for word in words)]

    def line(self, *words: str) -> str:
        """Wait for the line that has all of the words, and see that there is one alone."""
        wait_for(lambda: self.lines(*words), f"a line of the journal with {words}", seconds=15)
        (found,) = self.lines(*words)
        return found


@pytest.fixture
def journal(mail: Host) -> Journal:
    return Journal(mail, mail.check_output("date '+%Y-%m-%d %H:%M:%S.%6N'"))


def session(line: str) -> str:
    """Return the session that a line belongs to."""
    return line.rpartition("session=<")[2].partition(">")[0]


@pytest.mark.any_house
def test_an_imap_login(house: House, journal: Journal) -> None:
    house.imap(house.reader).logout()
    line = journal.line("imap-login: Log", house.login(house.reader))
    for part in ("method=PLAIN", "rip=", "TLS"):
        assert part in line
    assert session(line)
    assert house.password(house.reader) not in line


def test_a_pop3_login(house: House, journal: Journal) -> None:
    client = clients.pop3(house.mail_hostname, house.ca_file)
    client.user("guest")
    client.pass_(house.password("guest"))
    client.quit()
    assert "TLS" in journal.line("pop3-login: Log", house.login("guest"))


@pytest.mark.parametrize(
    ("name", "reason"),
    [("guest", "Password mismatch"), (NOBODY, "unknown user")],
    ids=["wrong-password", "unknown-user"],
)
@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_a_failed_login_says_why(
    house: House, journal: Journal, protocol: str, name: str, reason: str
) -> None:
    wrong = secrets.token_hex(8)
    if protocol == "imap":
        with clients.imap(house.mail_hostname, house.ca_file) as imap, pytest.raises(imaplib.IMAP4.error):
            imap.login(name, wrong)
    else:
        pop3 = clients.pop3(house.mail_hostname, house.ca_file)
        pop3.user(name)
        with pytest.raises(poplib.error_proto):
            pop3.pass_(wrong)
        pop3.close()
    end = journal.line(f"{protocol}-login:", house.login(name), "auth failed")
    why = [line for line in journal.lines("auth", session(end)) if f"{protocol}-login" not in line]
    assert len(why) == 1, why
    assert reason in why[0]
    assert house.login(name) in why[0]
    assert journal.lines(wrong) == []


def test_a_delivery(house: House, journal: Journal) -> None:
    new = clients.message(house.login("il"), house.login("guest"))
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.login("il", house.password("il"))
        client.send_message(new)
    line = journal.line("lmtp(", new["Message-ID"])
    for part in (house.login("guest"), house.login("il"), "size=", "'INBOX'"):
        assert part in line
