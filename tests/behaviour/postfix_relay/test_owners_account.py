"""Whose mail it is decides which account carries it to the world, whatever a message says."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from email.message import EmailMessage

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients, provider_mailboxes
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.providers import fetch_now
from ansible_collections.ilnmors.mail.tests.behaviour.support.reports import reports
from ansible_collections.ilnmors.mail.tests.behaviour.support.sieve_scripts import MARK, connect, script
from testinfra.host import Host

pytestmark = pytest.mark.usefixtures("provider")

ELSEWHERE = "someone@elsewhere.test"
NOBODY = "nobody@naver.test"
"""What guest's provider refuses."""

World = Callable[[str], EmailMessage]


@pytest.fixture
def world(provider_ca: str) -> Iterator[World]:
    """Return what waits for a message that has a text in its header, and says through which account it left."""
    with clients.imap("imap.naver.test", provider_ca) as client:
        client.login("world@naver.test", "naver-lab-password")

        def look(text: str) -> EmailMessage | None:
            client.select("INBOX", readonly=True)
            found = client.uid("SEARCH", "TEXT", f'"{text}"')[1][0].split()
            return clients.parse(clients.fetch(client, found[-1])) if found else None

        def find(text: str) -> EmailMessage:
            return wait_for(lambda: look(text), "the world gets it through guest's account")

        yield find


def left_as_guest(message: EmailMessage, sender: str = "<il@naver.test>") -> bool:
    """Whether guest's account carried a message, from whatever envelope sender, and nobody else's is named."""
    return (
        message["Return-Path"] == sender
        and "(Authenticated sender: il@naver.test)" in " ".join(message.get_all("Received", []))
        and message["From"].addresses[0].addr_spec == "il@naver.test"
    )


# --- what a login sends without a sender


def submit(house: House, name: str, recipient: str, port: int = 587) -> EmailMessage:
    """Submit a notice that a message was read (RFC 8098 section 2.1)."""
    new = clients.message(house.login(name), recipient)
    with clients.submission(house.mail_hostname, house.ca_file, port) as client:
        client.login(name, house.password(name))
        client.sendmail("", recipient, new.as_string())
    return new


@pytest.mark.parametrize(("name", "port"), [("guest", 587), ("guest", 465), ("opnsense", 465)])
def test_a_notice_without_a_sender_leaves_through_its_logins_account(
    house: House, world: World, name: str, port: int
) -> None:
    new = submit(house, name, ELSEWHERE, port)
    assert left_as_guest(world(new["Message-ID"]), "<>")


def test_a_notice_without_a_sender_has_none_in_the_house(house: House) -> None:
    new = submit(house, "guest", house.login("il"))
    found = wait_for(lambda: house.received("il", new["Message-ID"]), "it arrives")
    assert clients.parse(found)["Return-Path"] == "<>"
    assert b".sender.invalid" not in found


def test_a_notice_that_cannot_be_delivered_comes_back_to_its_login(house: House) -> None:
    new = submit(house, "guest", NOBODY)
    (report,) = wait_for(lambda: reports(house, "guest", new["Message-ID"]), "the report arrives")
    assert ".sender.invalid" not in report.as_string()
    assert reports(house, "il", new["Message-ID"]) == []


# --- what a script sends


ACCOUNT = "direct@naver.test"
"""What is fetched of it passes guest's scripts."""


def arrival(house: House, recipient: str, **headers: str) -> EmailMessage:
    """Write what somebody elsewhere sends to guest, and says that it is il's."""
    new = clients.message("A friend <friend@elsewhere.test>", recipient)
    new.replace_header("Message-ID", f"<{secrets.token_hex(8)}@elsewhere.test>")
    new[MARK] = "yes"
    for field in ("Delivered-To", "X-Original-To", "Envelope-To"):
        new[field] = house.login("il")
    for name, value in headers.items():
        new[name.replace("_", "-")] = value
    return new


@pytest.fixture(params=["delivered", "delivered-without-a-sender", "fetched", "fetched-report"])
def arrive(
    request: pytest.FixtureRequest, house: House, mail: Host, provider: Host
) -> Callable[..., EmailMessage]:
    """Return what lets a message arrive for guest, in each way that passes a script."""

    def arrive(**headers: str) -> EmailMessage:
        fetched = request.param.startswith("fetched")
        new = arrival(house, ACCOUNT if fetched else house.login("guest"), **headers)
        if fetched:
            new["Return-Path"] = "<>" if request.param == "fetched-report" else "<friend@elsewhere.test>"
            provider_mailboxes.deliver(provider, ACCOUNT, message=new)
            fetch_now(mail, "direct")
        else:
            sender = "" if request.param == "delivered-without-a-sender" else "friend@elsewhere.test"
            code = "import smtplib, sys; smtplib.SMTP('localhost', 25, timeout=30).sendmail(*sys.argv[1:])"
            mail.check_output("python3 -c %s %s %s %s", code, sender, house.login("guest"), new.as_string())
        new["X-Test-Case"] = request.param
        return new

    return arrive


def test_redirected_mail(house: House, world: World, arrive: Callable[..., EmailMessage]) -> None:
    """An answer goes to the friend. What came without a sender leaves without one (RFC 5228 section 4.2)."""
    with script(house, "guest", f'redirect "{ELSEWHERE}";'):
        new = arrive()
        seen = world(new["Message-ID"])
    without = new["X-Test-Case"] in ("delivered-without-a-sender", "fetched-report")
    assert left_as_guest(seen, "<>" if without else "<il@naver.test>")
    assert seen["From"].addresses[0].display_name == "A friend"
    assert seen["Reply-To"] == "A friend <friend@elsewhere.test>"


def test_what_a_script_writes(house: House, world: World, arrive: Callable[..., EmailMessage]) -> None:
    """An answer of a vacation, and a notice, which have an address of their script's owner alone in From."""
    token = secrets.token_hex(8)
    away = f'vacation :days 1 :from "Il <{house.login("il")}>" :addresses "{ACCOUNT}" "Away {token}.";'
    notice = f'notify :from "{house.login("il")}" :message "Mail {token}" "mailto:{ELSEWHERE}?body=Notice-{token}";'
    with script(house, "guest", f"{away} {notice}"):
        new = arrive()
        assert left_as_guest(world(f"Notice-{token}"), world(f"Notice-{token}")["Return-Path"])
        # Who has no address is not answered, nor is what is fetched: it may be old.
        if new["X-Test-Case"] == "delivered":
            assert left_as_guest(world(f"Away {token}"))


def test_refused_mail(house: House, world: World, arrive: Callable[..., EmailMessage]) -> None:
    token = secrets.token_hex(8)
    with script(house, "guest", f'reject "No {token}.";'):
        new = arrive()
        if new["X-Test-Case"] == "delivered":
            assert left_as_guest(world(token), "<>")
        elif new["X-Test-Case"].startswith("fetched"):
            wait_for(lambda: house.received("guest", new["Message-ID"]), "it stays in the inbox")


# --- what cannot be sent on


@pytest.mark.parametrize("name", ["guest", "il"])
def test_what_cannot_be_sent_on_comes_back_once(house: House, mail: Host, name: str) -> None:
    """The report stays in the inbox of whoever redirects, also of the postmaster: sent on, it would fail, and so on."""
    new = clients.message(house.login("gitea"), house.login(name))
    own = f"behaviour-test-{secrets.token_hex(4)}"
    with connect(house, name) as client:
        former = client.active()
        client.command("PUTSCRIPT", own, f'redirect "{NOBODY}";')
        client.command("SETACTIVE", own)
        try:
            with clients.submission(house.mail_hostname, house.ca_file) as sender:
                sender.login("gitea", house.password("gitea"))
                sender.send_message(new)
            wait_for(lambda: reports(house, name, new["Message-ID"]), "the report stays")
            wait_for(lambda: "is empty" in mail.check_output("postqueue -p"), "nothing is on its way")
        finally:
            client.command("SETACTIVE", former)
            client.command("DELETESCRIPT", own)
    assert len(reports(house, name, new["Message-ID"])) == 1
    assert name == "il" or reports(house, "il", new["Message-ID"]) == []
