"""Mail from the house to the world, through the owners' accounts at providers (in the lab: stand-ins)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.providers import read_by_the_world
from testinfra.host import Host

ELSEWHERE = "someone@elsewhere.test"


def sent_by(house: House, name: str, recipient: str = ELSEWHERE, sender: str = "", **headers: str) -> str:
    """Submit a message as a user or machine of the house; return its Message-ID.

    sender: the address it is from, the login's own by default. headers: further ones, with _ for -, or other values.
    """
    new = clients.message(sender or house.login(name), recipient)
    for header, value in headers.items():
        del new[header.replace("_", "-")]
        new[header.replace("_", "-")] = value
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.login(name, house.password(name))
        client.send_message(new, from_addr=sender or house.login(name))
    return str(new["Message-ID"])


def in_the_world(provider_ca: str, provider: str, message_id: str) -> EmailMessage:
    """Wait for what the world gets through a provider."""
    return clients.parse(
        wait_for(lambda: read_by_the_world(provider_ca, provider, message_id), "the world gets it")
    )


@pytest.fixture
def stopped_provider(provider: Host) -> Iterator[Any]:
    """Stop the providers' SMTP; it runs again after the test in any case."""
    provider.check_output("systemctl stop postfix")
    yield provider
    provider.check_output("systemctl start postfix")


@pytest.mark.parametrize(
    ("name", "sender", "through", "account"),
    [
        ("il", "", "gmail", "il@gmail.test"),
        ("guest", "", "naver", "il@naver.test"),
        ("il", "il@gmail.test", "gmail", "il@gmail.test"),
        ("gitea", "", "gmail", "il@gmail.test"),
        ("opnsense", "", "naver", "il@naver.test"),
    ],
    ids=[
        "own-account",
        "another-own-account",
        "address-of-the-account",
        "machine-by-the-default-account",
        "machine-by-the-account-it-names",
    ],
)
def test_it_leaves_through_the_right_account(
    house: House, provider_ca: str, name: str, sender: str, through: str, account: str
) -> None:
    seen = in_the_world(provider_ca, through, sent_by(house, name, sender=sender))
    assert seen["Return-Path"] == f"<{account}>"
    assert seen["From"].addresses[0].addr_spec == account
    received = " ".join(seen.get_all("Received", []))
    assert f"(Authenticated sender: {account})" in received
    assert "using TLSv1.3" in received


@pytest.mark.parametrize("provider_name", ["gmail", "naver"], ids=["replaces-a-sender", "refuses-a-sender"])
@pytest.mark.parametrize(
    ("name", "written", "shown"),
    [
        ("person", '"Somebody, of the house" <{}>', "Somebody, of the house"),
        ("person", "=?utf-8?b?7J28?= <{}>", "일"),
        ("machine", "{}", "{machine}"),
        ("machine", '"A program" <{}>', "A program ({machine})"),
    ],
    ids=["person", "name-in-korean", "machine-without-a-name", "machine-with-a-name"],
)
def test_the_name_stays_and_the_address_is_the_accounts(
    house: House, provider_ca: str, provider_name: str, name: str, written: str, shown: str
) -> None:
    senders = {
        "gmail": {"person": "il", "machine": "gitea"},
        "naver": {"person": "guest", "machine": "opnsense"},
    }
    sender = senders[provider_name][name]
    message_id = sent_by(house, sender, From=written.format(house.login(sender)))
    (author,) = in_the_world(provider_ca, provider_name, message_id)["From"].addresses
    assert author.addr_spec == f"il@{provider_name}.test"
    assert author.display_name == shown.format(machine=senders[provider_name]["machine"])


PRIVATE = {
    "User-Agent": "A mail program 1.0",
    "X-Mailer": "A mail program 1.0",
    "X-Originating-IP": "[192.168.1.7]",
}
"""What mail programs tell of themselves and of where they are."""


@pytest.fixture(scope="module")
def copies(house: House, provider_ca: str) -> dict[str, EmailMessage]:
    """Send one message of il to the world and to guest; return what each of the two reads."""
    new = clients.message(house.login("il"), f"{ELSEWHERE}, A guest <{house.login('guest')}>")
    new["Cc"] = f"Il <{house.login('il')}>"
    new["Reply-To"] = f"Il <{house.login('il')}>"
    for header, value in PRIVATE.items():
        new[header] = value
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.login("il", house.password("il"))
        client.send_message(new, to_addrs=[ELSEWHERE, house.login("guest")])
    message_id = str(new["Message-ID"])
    kept = wait_for(lambda: house.received("guest", message_id), "guest gets it")
    return {"world": in_the_world(provider_ca, "gmail", message_id), "guest": clients.parse(kept)}


def test_recipients_are_never_rewritten(house: House, copies: dict[str, EmailMessage]) -> None:
    for copy in copies.values():
        assert copy["To"] == f"{ELSEWHERE}, A guest <{house.login('guest')}>"
        assert copy["Cc"] == f"Il <{house.login('il')}>"


def test_answers_come_back_to_an_address_that_exists(house: House, copies: dict[str, EmailMessage]) -> None:
    assert copies["world"]["Reply-To"] == "Il <il@gmail.test>"
    assert copies["guest"]["Reply-To"] == f"Il <{house.login('il')}>"


def test_the_house_is_not_described_to_the_world(house: House, copies: dict[str, EmailMessage]) -> None:
    seen = copies["world"]
    assert {header: seen[header] for header in PRIVATE} == dict.fromkeys(PRIVATE)
    trace = " ".join(seen.get_all("Received", []))
    assert house.mail_hostname not in trace
    assert "helo=[127.0.0.1]" in trace or "from [127.0.0.1]" in trace
    assert "esmtpsa" in trace.lower()
    told = " ".join(str(value) for header, value in seen.items() if header not in ("To", "Cc", "Message-ID"))
    assert house.domain not in told


def test_mail_in_the_house_keeps_its_addresses(house: House, copies: dict[str, EmailMessage]) -> None:
    kept = copies["guest"]
    assert kept["From"] == house.login("il")
    assert kept["Return-Path"] == f"<{house.login('il')}>"
    assert {header: kept[header] for header in PRIVATE} == PRIVATE


def test_what_is_not_the_houses_stays(house: House, mail: Host, provider_ca: str) -> None:
    """Names as they are written, and the addresses of others among those that answers go to."""
    own, token = house.login("guest"), secrets.token_hex(8)
    answers = {
        "Reply-To": f'"Il, {own}" <{own}>, A colleague <colleague@elsewhere.test>',
        "Mail-Followup-To": f"list@elsewhere.test, {house.login('il')}",
        "Errors-To": f"Team: =?utf-8?b?66+8?= <{own}>, errors@elsewhere.test;",
        "Disposition-Notification-To": f"{own} (a \\) (note)),\n colleague@elsewhere.test",
        "Return-Receipt-To": "colleague@elsewhere.test",
    }
    header = "".join(f"{name}: {value}\n" for name, value in answers.items())
    text = f'From: "5\\" disk" <nas@{house.domain}>\nMessage-ID: <{token}@behaviour.test>\n{header}\nHello.\n'
    mail.check_output("printf %%s %s | sendmail -f %s %s", text, own, ELSEWHERE)
    seen = in_the_world(provider_ca, "naver", f"<{token}@behaviour.test>")
    assert str(seen["From"]) == '"5\\" disk (nas)" <il@naver.test>'
    found = {name: [address.addr_spec for address in getaddresses_of(str(seen[name]))] for name in answers}
    account = "il@naver.test"
    assert found == {
        "Reply-To": [account, "colleague@elsewhere.test"],
        "Mail-Followup-To": ["list@elsewhere.test", account],
        "Errors-To": [account, "errors@elsewhere.test"],
        "Disposition-Notification-To": [account, "colleague@elsewhere.test"],
        "Return-Receipt-To": ["colleague@elsewhere.test"],
    }
    assert seen["Reply-To"].addresses[0].display_name == f"Il, {own}"


def getaddresses_of(value: str) -> tuple[Address, ...]:
    """Read a list of addresses."""
    message = EmailMessage()
    message["To"] = value
    return tuple(message["To"].addresses)


@pytest.mark.parametrize(
    ("name", "through", "shown"),
    [("guest", "naver", "guest"), ("gitea", "gmail", "gitea")],
    ids=["person", "machine"],
)
def test_a_program_may_leave_out_from_and_date(
    house: House, provider_ca: str, name: str, through: str, shown: str
) -> None:
    new = clients.message(house.login(name), ELSEWHERE)
    del new["From"], new["Date"]
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.login(name, house.password(name))
        client.sendmail(house.login(name), ELSEWHERE, new.as_string())
    seen = in_the_world(provider_ca, through, new["Message-ID"])
    (author,) = seen["From"].addresses
    assert (author.addr_spec, author.display_name) == (f"il@{through}.test", shown)
    assert seen["Date"]


@pytest.mark.parametrize(
    ("sender", "shown"),
    [("scanner@{}", "scanner"), ("root@pve.lan", "root (pve.lan)")],
    ids=["machine-of-the-house", "machine-that-sends-as-itself"],
)
def test_a_trusted_machine_reaches_the_world_and_says_which_it_is(
    house: House, app: Host, provider_ca: str, sender: str, shown: str
) -> None:
    new = clients.message(sender.format(house.domain), ELSEWHERE)
    clients.send_from(app, house.mail_hostname, new)
    (author,) = in_the_world(provider_ca, "gmail", new["Message-ID"])["From"].addresses
    assert (author.addr_spec, author.display_name) == ("il@gmail.test", shown)


def test_it_waits_for_a_stopped_provider(
    house: House,
    mail: Host,
    provider_ca: str,
    stopped_provider: Host,
) -> None:
    message_id = sent_by(house, "il")
    wait_for(lambda: ELSEWHERE in mail.check_output("postqueue -p"), "the message is in the queue")
    wait_for(
        lambda: "Connection refused" in mail.check_output("postqueue -p"),
        "the message is deferred",
        seconds=60,
    )
    assert read_by_the_world(provider_ca, "gmail", message_id) is None
    stopped_provider.check_output("systemctl start postfix")
    mail.check_output("postqueue -f")
    wait_for(lambda: read_by_the_world(provider_ca, "gmail", message_id), "the message is delivered")
    wait_for(lambda: ELSEWHERE not in mail.check_output("postqueue -p"), "the queue is empty")
