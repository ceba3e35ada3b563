"""Those who may send: a login, and machines that are trusted."""

from __future__ import annotations

import base64
import ipaddress
import json
import socket
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients, talker
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from testinfra.host import Host

TALKER = Path(talker.__file__).read_text()

# Takes steps of a conversation after EHLO; returns the replies to them.
Sender = Callable[[Sequence[bytes]], list[str]]


def encrypt(connection: socket.socket, house: House) -> ssl.SSLSocket:
    """Begin TLS as a client that verifies."""
    return clients.tls(house.ca_file).wrap_socket(connection, server_hostname=house.mail_hostname)


def login(house: House, name: str) -> Sender:
    """Return what talks as a user or service, on port 465."""
    plain = base64.b64encode(f"\0{name}\0{house.password(name)}".encode())
    before = [b"", b"EHLO script.test\r\n", b"AUTH PLAIN " + plain + b"\r\n"]

    def talk(steps: Sequence[bytes]) -> list[str]:
        connection = socket.create_connection((house.mail_address, 465), clients.TIMEOUT)
        replies = talker.talk(encrypt(connection, house), [*before, *steps])
        assert replies[2].startswith("235"), replies
        return replies[3:]

    return talk


def machine(host: Host, address: str) -> Sender:
    """Return what talks from another machine, on port 25."""

    def talk(steps: Sequence[bytes]) -> list[str]:
        sent = json.dumps(["EHLO script.test\r\n", *(step.decode("latin-1") for step in steps)])
        replies: list[str] = json.loads(host.check_output("python3 -c %s %s 25 %s", TALKER, address, sent))
        return replies[2:]

    return talk


def loopback(mail: Host, address: str) -> Sender:
    """Return what talks from the mail host itself."""
    if ":" in address and not mail.check_output("ip -6 -oneline address show dev lo"):
        pytest.skip("needs IPv6 on the mail host")
    return machine(mail, address)


def trusts(mail: Host, house: House) -> bool:
    """Whether the house trusts the address that this machine's connections come from."""
    with socket.create_connection((house.mail_address, 25), clients.TIMEOUT) as connection:
        address = connection.getsockname()[0]
    patterns = mail.check_output("postconf -h mynetworks").replace("[", "").replace("]", "").split()
    for pattern in patterns:  # The first that matches counts (match_list(3)).
        if ipaddress.ip_address(address) in ipaddress.ip_network(pattern.removeprefix("!")):
            return not pattern.startswith("!")
    return False
