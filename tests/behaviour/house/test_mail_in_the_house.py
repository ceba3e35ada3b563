"""Mail from the machines and people of the house to its people, by real clients."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.letters import Post
from testinfra.host import Host


def read_over_imap(house: House, port: int) -> Callable[[str], bytes | None]:
    return lambda message_id: house.received(house.reader, message_id, port)


def read_over_pop3(house: House, port: int) -> Callable[[str], bytes | None]:
    def read(message_id: str) -> bytes | None:
        client = clients.pop3(house.mail_hostname, house.ca_file, port)
        try:
            client.user(house.login(house.reader))
            client.pass_(house.password(house.reader))
            for number in range(client.stat()[0], 0, -1):
                found = b"\r\n".join(client.retr(number)[1])
                if message_id.encode() in found:
                    return found
            return None
        finally:
            client.quit()

    return read


@pytest.mark.parametrize(
    ("read", "port"),
    [
        pytest.param(read_over_imap, 993, marks=pytest.mark.any_house),
        pytest.param(read_over_imap, 143, marks=pytest.mark.any_house),
        (read_over_pop3, 995),
        (read_over_pop3, 110),
    ],
    ids=["imap-993", "imap-143-starttls", "pop3-995", "pop3-110-stls"],
)
def test_what_a_machine_submits_is_read(
    house: House, post: Post, read: Callable[[House, int], Callable[[str], bytes | None]], port: int
) -> None:
    found = read(house, port)(post("A pull request waits.\n", sender=house.machine))
    assert found is not None
    assert b"A pull request waits." in found


@pytest.mark.any_house
@pytest.mark.parametrize("recipient", ["{name}", "{name}+shopping"])
def test_people_write_to_each_other(house: House, post: Post, recipient: str) -> None:
    post(to=house.login(recipient.format(name=house.reader)))


def test_a_large_message_arrives_bit_for_bit(house: House) -> None:
    attachment = secrets.token_bytes(20_000_000)
    new = clients.message(house.login("guest"), house.login("il"))
    new.add_attachment(attachment, maintype="application", subtype="octet-stream", filename="random.bin")
    with clients.submission(house.mail_hostname, house.ca_file, port=465) as client:
        client.login("guest", house.password("guest"))
        client.send_message(new)

    received = clients.parse(
        wait_for(lambda: house.received("il", new["Message-ID"]), "the large message arrives", seconds=60)
    )
    (part,) = received.iter_attachments()
    assert hashlib.sha256(part.get_content()).digest() == hashlib.sha256(attachment).digest()


@pytest.mark.parametrize("recipient", ["il", "postmaster", "abuse", "root", "il+shopping"])
def test_addresses_that_reach_il(house: House, recipient: str) -> None:
    new = clients.message(house.login("guest"), house.login(recipient))
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.login("guest", house.password("guest"))
        client.send_message(new)
    wait_for(lambda: house.received("il", new["Message-ID"]), f"mail to {recipient} arrives")


def test_a_trusted_machine_needs_no_login_on_25(house: House, app: Host) -> None:
    new = clients.message(house.login("printer"), house.login("il"))
    clients.send_from(app, house.mail_hostname, new)
    wait_for(lambda: house.received("il", new["Message-ID"]), "the trusted machine's mail arrives")
