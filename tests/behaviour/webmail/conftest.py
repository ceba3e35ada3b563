"""Somebody who reads what strangers send."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.hostile_watch import WATCH, Stranger
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.mailbox import Mailbox


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    """Return a server that messages lead to, by its address: no name has to be resolved."""
    server = Stranger()
    yield server
    server.socket.close()


@pytest.fixture
def reader(mailbox: Mailbox, house: House) -> Mailbox:
    """Return the inbox of il, watched."""
    mailbox.page.add_init_script(WATCH)
    mailbox.page.goto("/")
    mailbox.offer(house.login("il"), house.password("il"))
    mailbox.is_open()
    return mailbox
