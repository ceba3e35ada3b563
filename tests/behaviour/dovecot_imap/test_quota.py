"""Quotas: what a client is told, the warnings, and who is refused when. The account `full` is the tests' own."""

from __future__ import annotations

import imaplib
import json
import re
import smtplib
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from testinfra.host import Host

MAXIMUM = 64_000_000
"""Bytes that these tests are willing to fill."""


def usage(client: Any) -> tuple[int, int]:
    """Return used and allowed bytes of the inbox's quota (RFC 9208); a limit of 0 is none."""
    __, (__, (line, *__)) = client.getquotaroot("INBOX")
    found = re.search(rb"STORAGE (\d+) (\d+)", line or b"")
    return (int(found[1]) * 1024, int(found[2]) * 1024) if found else (0, 0)


def tidy(client: Any) -> None:
    """Delete all that lies in the inbox and in Trash."""
    for mailbox in ("Trash", "INBOX"):
        client.select(mailbox)
        client.uid("STORE", "1:*", "+FLAGS", r"(\Deleted)")
        client.expunge()


def fill(client: Any, percentage: int) -> None:
    """Put one message into the inbox that makes it so full."""
    used, limit = usage(client)
    filler = clients.message(
        "friend@elsewhere.test", "full@ilnmors.internal", text(limit * percentage // 100 - used)
    )
    assert client.append("INBOX", "", None, filler.as_bytes())[0] == "OK"


def text(size: int) -> str:
    return f"{'x' * 76}\n" * (size // 78)


@pytest.fixture
def client(house: House, mail: Host) -> Iterator[Any]:
    """Return a mail program of the account `full`, whose inbox and Trash are empty before and after."""
    with house.imap("full") as client:
        if not 0 < usage(client)[1] <= MAXIMUM:
            pytest.skip(f"needs an account 'full' with a quota of at most {MAXIMUM} bytes")
        tidy(client)
        yield client
        for entry in queued(house, mail):
            mail.run("postsuper -d %s", entry["queue_id"])
        tidy(client)


def submit(house: House, new: Any) -> None:
    with clients.submission(house.mail_hostname, house.ca_file) as sender:
        sender.login("guest", house.password("guest"))
        sender.send_message(new)


def from_guest(house: House, size: int = 100) -> Any:
    return clients.message(house.login("guest"), house.login("full"), text(size))


def warnings(client: Any) -> list[str]:
    """Return the subjects of the postmaster's messages."""
    client.select("INBOX")
    (found,) = client.search(None, "FROM", "postmaster")[1]
    return [
        str(clients.parse(client.fetch(number.decode(), "(BODY.PEEK[HEADER])")[1][0][1])["Subject"])
        for number in found.split()
    ]


def arrived(client: Any, new: Any) -> bytes | None:
    return clients.find(client, new["Message-ID"])


def queued(house: House, mail: Host) -> list[Any]:
    """Return what waits in Postfix's queue for `full`."""
    lines = mail.check_output("postqueue -j").splitlines()
    return [
        entry
        for entry in map(json.loads, lines)
        if any(recipient["address"] == house.login("full") for recipient in entry["recipients"])
    ]


def test_a_client_sees_its_quota(client: Any) -> None:
    assert "QUOTA" in client.capability()[1][0].decode().split()
    status, (roots, (quota,)) = client.getquotaroot("INBOX")
    assert (status, roots) == ("OK", [b'INBOX "User quota"'])
    assert client.getquota('"User quota"') == ("OK", [quota])


def test_a_quota_of_ones_own_goes_before_the_default(house: House) -> None:
    limits = {}
    for name in ("guest", "full"):
        with house.imap(name) as client:
            limits[name] = usage(client)[1]
    if not limits["guest"]:
        pytest.skip("needs a quota of all users (mail_quota)")
    assert 0 < limits["full"] < limits["guest"]


def test_what_is_stored_counts(client: Any) -> None:
    before, __ = usage(client)
    client.append("INBOX", "", None, clients.message("a@b.test", "c@d.test", text(100_000)).as_bytes())
    assert 90_000 < usage(client)[0] - before < 110_000


def test_the_owner_is_warned_once_at_each_mark(house: House, client: Any) -> None:
    limit = usage(client)[1]
    fill(client, 76)
    assert warnings(client) == []
    for size, expected in (
        (limit * 6 // 100, ["Your mailbox is 80 % full"]),
        (100, ["Your mailbox is 80 % full"]),
        # Beyond the quota at once: the warning is delivered even so.
        (limit * 20 // 100, ["Your mailbox is 80 % full", "Your mailbox is 95 % full"]),
    ):
        new = from_guest(house, size)
        submit(house, new)
        wait_for(lambda new=new: arrived(client, new), "the message arrives")  # type: ignore[misc]
        wait_for(lambda expected=expected: warnings(client) == expected, f"the warnings are {expected}")  # type: ignore[misc]
    assert usage(client)[0] > limit
    client.select("INBOX")
    (number,) = client.search(None, "FROM", "postmaster", "SUBJECT", "95")[1]
    warning = clients.parse(client.fetch(number.decode(), "(BODY.PEEK[])")[1][0][1])
    assert warning["Auto-Submitted"] == "auto-generated"
    assert warning["To"] == house.login("full")
    assert warning["Date"]
    assert warning["Message-ID"]
    assert "empty the Trash" in warning.get_content()


def full_up(client: Any, house: House) -> None:
    """Fill the mailbox beyond its quota."""
    fill(client, 90)
    new = from_guest(house, usage(client)[1] * 15 // 100)
    submit(house, new)
    wait_for(lambda: arrived(client, new), "the message arrives")


ADDRESSES = ["full", "FULL", "full+shopping", "crowded"]


@pytest.fixture
def full_mailbox(house: House, client: Any) -> Any:
    full_up(client, house)
    return client


@pytest.mark.usefixtures("full_mailbox")
def test_recipients_of_a_full_mailbox_are_refused_alone(house: House, app: Host) -> None:
    recipients = [house.login(name) for name in (*ADDRESSES, "guest", "nobody-here")]

    def expected(port: int) -> list[tuple[int, bytes]]:
        return [(port, b"5.2.2"), *[(port, b"5.2.2")] * 3, (port, b"2.1.5"), (port, b"5.1.1")]

    for port in (587, 465):
        with clients.submission(house.mail_hostname, house.ca_file, port) as sender:
            sender.login("guest", house.password("guest"))
            sender.mail(house.login("guest"))
            answers = [sender.rcpt(recipient)[1] for recipient in recipients]
        assert [(port, answer.split()[0]) for answer in answers] == expected(port), answers

    code = (
        "import smtplib, sys; client = smtplib.SMTP(sys.argv[1], 25, timeout=30); client.ehlo(); "
        "client.mail(sys.argv[2]); print(*(client.rcpt(r)[1].split()[0].decode() for r in sys.argv[3:]))"
    )
    sender_address = house.login("printer")
    answers_25 = app.check_output(
        "python3 -c %s %s %s " + " ".join(["%s"] * len(recipients)),
        code,
        house.mail_address,
        sender_address,
        *recipients,
    ).split()
    assert [(25, answer.encode()) for answer in answers_25] == expected(25)


@pytest.mark.usefixtures("full_mailbox")
def test_a_refusal_is_final_and_says_why(house: House) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        submit(house, from_guest(house))
    ((code, answer),) = refused.value.recipients.values()
    assert code == 554
    assert b"The mailbox is full" in answer


def test_a_message_too_large_for_the_mailbox_is_refused_by_its_declared_size(
    house: House, client: Any
) -> None:
    size = usage(client)[1] + 20_000_000
    with clients.submission(house.mail_hostname, house.ca_file) as sender:
        sender.login("guest", house.password("guest"))
        if size > int(sender.esmtp_features["size"]):
            pytest.skip("needs an account 'full' with a quota below the largest message")
        sender.mail(house.login("guest"), [f"SIZE={size}"])
        assert sender.rcpt(house.login("full"))[0] == 554
        assert sender.rcpt(house.login("guest"))[0] == 250


def test_what_was_accepted_waits_for_room(house: House, client: Any, mail: Host) -> None:
    """Two messages that both found room at RCPT time: one fills the mailbox, the other is delivered later."""
    limit = usage(client)[1]
    fill(client, 90)
    both = [from_guest(house, limit * 15 // 100) for __ in range(2)]
    senders = [clients.submission(house.mail_hostname, house.ca_file) for __ in both]
    for sender in senders:
        sender.login("guest", house.password("guest"))
        sender.mail(house.login("guest"))
        assert sender.rcpt(house.login("full"))[0] == 250
    for sender, new in zip(senders, both, strict=True):
        assert sender.data(new.as_bytes())[0] == 250
        sender.quit()

    def deferred() -> list[Any]:
        return [entry for entry in queued(house, mail) if entry["queue_name"] == "deferred"]

    (entry,) = wait_for(deferred, "one of the two waits in the queue")
    assert "452 4.2.2" in entry["recipients"][0]["delay_reason"]
    assert sum(arrived(client, new) is not None for new in both) == 1
    (waiting,) = [new for new in both if arrived(client, new) is None]

    tidy(client)
    mail.check_output("postqueue -i %s", entry["queue_id"])
    wait_for(lambda: arrived(client, waiting), "what waited is delivered")


def test_a_full_mailbox_can_still_be_tidied(full_mailbox: Any) -> None:
    client = full_mailbox
    new = clients.message("a@b.test", "c@d.test").as_bytes()
    with pytest.raises(imaplib.IMAP4.error, match="OVERQUOTA"):
        raise imaplib.IMAP4.error(str(client.append("Archive", "", None, new)))
    client.select("INBOX")
    smallest = client.search(None, "SMALLER", "10000")[1][0].split()[0].decode()
    assert client.copy(smallest, "Trash")[0] == "OK"
    assert client._simple_command("MOVE", "1", "Trash")[0] == "OK"
