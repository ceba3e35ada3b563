"""Logins over every port of a mail host, and how long they are kept waiting."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.sieve_client import ManageSieve


def greet(house: House, port: int) -> float:
    """Return how many seconds it takes until the server says anything, in the clear or encrypted."""
    start = time.monotonic()
    with socket.create_connection((house.mail_address, port), clients.TIMEOUT) as connection:
        if port in (465, 993, 995):
            context = clients.tls(house.ca_file)
            with context.wrap_socket(connection, server_hostname=house.mail_hostname) as encrypted:
                assert encrypted.recv(1)
        else:
            assert connection.recv(1)
    return time.monotonic() - start


def log_in(house: House, port: int) -> None:
    """Log in over a port, whatever its protocol; on 25 there is no login."""
    name = house.people[0]
    password = house.password(name)
    host, ca_file = house.mail_hostname, house.ca_file
    logins: dict[int, Callable[[], object]] = {
        25: lambda: clients.submission(host, ca_file, 25).ehlo(),
        **dict.fromkeys((587, 465), lambda: clients.submission(host, ca_file, port).login(name, password)),
        **dict.fromkeys((143, 993), lambda: house.imap(name, port)),
        **dict.fromkeys((110, 995), lambda: pop3_login(clients.pop3(host, ca_file, port), name, password)),
        4190: lambda: ManageSieve(host, ca_file).log_in(name, password),
    }
    logins[port]()


def pop3_login(client: Any, name: str, password: str) -> None:
    client.user(name)
    client.pass_(password)
