"""Mail from the house to the world, through the owners' accounts at providers (in the lab: stand-ins)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour import clients
from ansible_collections.ilnmors.mail.tests.behaviour.house import House, wait_for
from testinfra.host import Host

ELSEWHERE = "someone@elsewhere.test"


def sent_by(house: House, name: str, recipient: str = ELSEWHERE) -> str:
    """Submit a message as a user or machine of the house; return its Message-ID."""
    new = clients.message(house.login(name), recipient)
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.login(name, house.password(name))
        client.send_message(new)
    return str(new["Message-ID"])


def seen_by_the_world(provider_ca: str, provider: str, message_id: str) -> str | None:
    """Return what the world got through a provider, or None."""
    with clients.imap(f"imap.{provider}.test", provider_ca) as client:
        client.login(f"world@{provider}.test", f"{provider}-lab-password")
        uid = clients.find(client, message_id)
        return clients.fetch(client, uid).decode() if uid else None


@pytest.fixture
def stopped_provider(provider: Host) -> Iterator[Any]:
    """Stop the providers' SMTP; it runs again after the test in any case."""
    provider.check_output("systemctl stop postfix")
    yield provider
    provider.check_output("systemctl start postfix")


@pytest.mark.parametrize(
    ("sender", "through", "address"),
    [
        ("il", "gmail", "il@gmail.test"),
        ("guest", "naver", "il@naver.test"),
        ("gitea", "gmail", "il@gmail.test"),
    ],
    ids=["own-account", "another-own-account", "machine-by-the-default-account"],
)
def test_it_leaves_through_the_right_account(
    house: House,
    provider_ca: str,
    sender: str,
    through: str,
    address: str,
) -> None:
    message_id = sent_by(house, sender)
    text = wait_for(lambda: seen_by_the_world(provider_ca, through, message_id), "the world gets it")
    seen = clients.parse(text.encode())
    assert seen["Return-Path"] == f"<{address}>"
    assert address in seen["From"]
    received = " ".join(seen.get_all("Received", []))
    assert f"(Authenticated sender: {address})" in received
    assert "using TLSv1.3" in received


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
    assert seen_by_the_world(provider_ca, "gmail", message_id) is None
    stopped_provider.check_output("systemctl start postfix")
    mail.check_output("postqueue -f")
    wait_for(lambda: seen_by_the_world(provider_ca, "gmail", message_id), "the message is delivered")
    wait_for(lambda: ELSEWHERE not in mail.check_output("postqueue -p"), "the queue is empty")


def test_mail_in_the_house_keeps_its_addresses(house: House) -> None:
    message_id = sent_by(house, "guest", house.login("il"))

    received = clients.parse(wait_for(lambda: house.received("il", message_id), "the message arrives"))
    assert received["From"] == house.login("guest")
    assert received["Return-Path"] == f"<{house.login('guest')}>"
