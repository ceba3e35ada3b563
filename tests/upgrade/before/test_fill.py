"""Fill the house on Debian 12 as years of use do, and write down what its clients see."""

from __future__ import annotations

import time
from email.message import EmailMessage
from typing import Any

from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.provider_mailboxes import deliver
from ansible_collections.ilnmors.mail.tests.behaviour.support.providers import fetch_now
from ansible_collections.ilnmors.mail.tests.behaviour.support.sieve_client import ManageSieve
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_client import Webmail
from ansible_collections.ilnmors.mail.tests.upgrade import state
from testinfra.host import Host

FOLDERS = ["Projects/2026/Invoices", "받은 편지/영수증", "R&D", "Left behind", "Invoices 2026.10", "~old/.v2"]
FILTER = """require ["fileinto", "imap4flags"];
if header :contains "Subject" "invoice" { addflag "$Filed"; fileinto "Projects/2026/Invoices"; }
"""
HOLIDAY = """require "vacation";
vacation :days 7 "지금은 휴가 중입니다.";
"""
FLAGS = [r"\Seen", r"\Seen \Answered", r"\Flagged", r"\Seen \Deleted", r"\Draft", "$Work $Forwarded", ""]


def message(number: int) -> EmailMessage:
    new = clients.message(
        "friend@elsewhere.test", "guest@ilnmors.internal", f"A needle, {number}.\n안녕하세요.\n"
    )
    new.replace_header("Subject", "An invoice" if number % 3 else "영수증")
    if number % 4 == 0:
        new.add_attachment(b"0123456789" * 1000, maintype="application", subtype="pdf", filename="영수증.pdf")
    return new


def fill(client: Any, mailbox: str) -> None:
    """Put messages of some years into a mailbox, with each kind of flags; the last two leave gaps in the UIDs."""
    for number, flags in enumerate([*FLAGS, r"\Seen", ""]):
        date = (2020, 1 + number, 28, 23, 59, 58, 0, 0, 0)
        when = imap_date(time.struct_time(date))
        assert client.append(f'"{mailbox}"', f"({flags})", when, message(number).as_bytes())[0] == "OK"
    client.select(f'"{mailbox}"')
    last = client.uid("SEARCH", "ALL")[1][0].split()[-2:]
    client.uid("STORE", last[0].decode(), "+FLAGS", r"(\Deleted)")
    client.uid("EXPUNGE", last[0].decode())
    client.uid("MOVE", last[1].decode(), "Archive")


def imap_date(when: time.struct_time) -> str:
    return time.strftime('"%d-%b-%Y %H:%M:%S +0900"', when)


def test_mailboxes(house: House) -> None:
    with state.imap(house, "guest") as client:
        for folder in FOLDERS:
            name = f'"{state.encode(folder)}"'
            assert client.create(name)[0] == "OK"
            assert client.subscribe(name)[0] == "OK"
        client.unsubscribe('"Left behind"')
        for folder in ["INBOX", "Sent", "Drafts", *FOLDERS]:
            fill(client, state.encode(folder))


def test_sieve_scripts(house: House) -> None:
    with ManageSieve(house.mail_hostname, house.ca_file) as client:
        client.log_in("guest", house.password("guest"))
        client.command("PUTSCRIPT", "filter", FILTER)
        client.command("PUTSCRIPT", "휴가", HOLIDAY)
        client.command("SETACTIVE", "filter")


def test_delivered_mail(house: House) -> None:
    """The filter has run once: what it was compiled to lies beside it."""
    new = clients.message(house.login("il"), house.login("guest"))
    new.replace_header("Subject", "One more invoice")
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.login("il", house.password("il"))
        client.send_message(new)
    with state.imap(house, "guest") as client:
        wait_for(lambda: clients.find(client, new["Message-ID"], FOLDERS[0]), "the filtered message")


def test_a_limit_of_its_own(house: House) -> None:
    with state.imap(house, "full") as client:
        fill(client, "INBOX")


def test_fetched_mail(house: House, mail: Host, provider: Host, known: dict[str, Any]) -> None:
    known["fetched"] = str(deliver(provider, "il@gmail.test")["Message-ID"])
    fetch_now(mail)
    with state.imap(house, "il") as client:
        assert clients.find(client, known["fetched"], "Google/INBOX")


def test_mail_that_waits_for_a_provider(
    house: House, mail: Host, provider: Host, known: dict[str, Any]
) -> None:
    provider.check_output("systemctl stop postfix")
    new = clients.message(house.login("il"), "someone@elsewhere.test")
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.login("il", house.password("il"))
        client.send_message(new)
    known["waiting"] = new["Message-ID"]
    wait_for(
        lambda: "someone@elsewhere.test" in mail.check_output("postqueue -j"), "the message in the queue"
    )


def test_somebody_stays_logged_in_to_the_webmail(
    house: House, webmail: Webmail, known: dict[str, Any]
) -> None:
    assert webmail.log_in(house.login("guest"), house.password("guest"))["Result"]
    known["cookies"] = webmail.session.cookies.get_dict()


def test_secrets(mail: Host, app: Host, known: dict[str, Any]) -> None:
    known["secrets"] = state.secrets(mail, app)


def test_all_is_written_down(house: House, known: dict[str, Any]) -> None:
    known["users"] = {user: state.everything(house, user) for user in state.USERS}
    assert len(known["users"]["guest"]["mailboxes"]) > 10
