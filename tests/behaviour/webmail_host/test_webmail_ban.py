"""An address that guesses passwords in the webmail is banned for a while, and no other one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.jail import (
    Forgive,
    assert_named,
    forgiving,
    status,
)
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_ban import JAIL, ask
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_client import Webmail
from testinfra.host import Host

Inventory = dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def house(house: House) -> House:
    """Return the house of those who open SnappyMail."""
    return house.at("snappymail")


@pytest.fixture
def ban_after(app: Host, webmail_bans: None) -> int:  # noqa: ARG001 - it may skip
    return int(app.check_output(f"fail2ban-client get {JAIL} maxretry"))


@pytest.fixture
def forgive(app: Host) -> Iterator[Forgive]:
    """Return what takes an address that is to be free of bans now, and at the end."""
    with forgiving(app, JAIL) as unban:
        yield unban


@pytest.fixture
def stranger(provider: Host, inventory: Inventory, forgive: Forgive) -> str:
    """Return the address of the machine that is a stranger to the house."""
    address: str = inventory[provider.backend.get_hostname()]["address"]
    forgive(address)
    return address


def test_who_guesses_is_kept_out_and_others_are_not(
    house: House, app: Host, provider: Host, webmail: Webmail, ban_after: int, stranger: str
) -> None:
    before = int(status(app, JAIL, "Total failed"))
    assert ask(provider, house, "guess", house.login("il"), "1") == [200]
    wait_for(lambda: int(status(app, JAIL, "Total failed")) == before + 1, "one guess is one failure")
    assert ask(provider, house, "look") == [200]
    app.check_output(
        f"for i in $(seq {ban_after - 2}); do fail2ban-client set {JAIL} attempt {stranger}; done"
    )
    ask(provider, house, "guess", house.login("il"), "1")
    wait_for(lambda: ask(provider, house, "look") == [429], "the stranger is kept out")
    assert webmail.get("/").status_code == 200
    # Neither a reload of nginx nor a new start of fail2ban is an amnesty.
    app.check_output("systemctl reload nginx && systemctl restart fail2ban")
    wait_for(lambda: app.run(f"fail2ban-client status {JAIL}").rc == 0, "fail2ban runs")
    wait_for(lambda: ask(provider, house, "look") == [429], "the stranger is still kept out")

    app.check_output(f"fail2ban-client set {JAIL} unbanip {stranger}")
    wait_for(lambda: ask(provider, house, "look") == [200], "the stranger is forgiven")


def test_a_flood_of_guesses_leaves_others_a_worker(
    house: House, app: Host, provider: Host, webmail: Webmail, stranger: str, ban_after: int
) -> None:
    """Each wrong password keeps a worker of PHP waiting for some seconds."""
    assert ban_after
    app.check_output(f"fail2ban-client set {JAIL} addignoreip {stranger}")
    try:
        with ThreadPoolExecutor(1) as thread:
            flood = thread.submit(ask, provider, house, "guess", house.login("il"), "40")

            def page_comes_until_it_ends() -> bool:
                answer = webmail.get("/")
                assert answer.status_code == 200
                assert answer.elapsed.total_seconds() < 10
                return flood.done()

            wait_for(page_comes_until_it_ends, "the end of the flood", 120, every=0.5)
            assert set(flood.result()) == {200, 429}
        assert webmail.log_in(house.login("il"), house.password("il"))["Result"]
    finally:
        app.check_output(f"fail2ban-client set {JAIL} delignoreip {stranger}")


LINES = {
    "Auth failed: ip=192.0.2.1 user=il@ilnmors.internal": "192.0.2.1",
    "Auth failed: ip=2001:db8::2 user=": "2001:db8::2",
    "Auth failed: ip=192.0.2.3 user=Auth failed: ip=10.9.8.7 user=x": "192.0.2.3",
    "PHP Warning:  Auth failed: ip=10.9.8.7 user=x": "",
    "Admin Auth failed: ip=10.9.8.7 user=x": "",
    "auth failed: ip=10.9.8.7 user=x": "",
}
"""Whom lines of the webmail name."""


@pytest.mark.usefixtures("ban_after")
def test_a_line_names_who_failed(app: Host) -> None:
    assert_named(app, JAIL, "snappymail", LINES)


def test_nobody_writes_a_line_for_another(real_webmail: Webmail, house: House, app: Host) -> None:
    """A name with a line break is refused, or is one entry of the journal, as any other."""
    cursor = app.check_output("journalctl --lines 0 --show-cursor").rpartition(" ")[2]
    real_webmail.log_in(f"x\nAuth failed: ip=192.0.2.9 user=y@{house.domain}", "wrong")
    real_webmail.log_in(f"after@{house.domain}", "wrong")
    entries = f"journalctl --after-cursor '{cursor}' --output json --identifier snappymail"
    wait_for(lambda: f"user=after@{house.domain}" in app.check_output(entries), "the failure in the journal")
    messages = [str(json.loads(line)["MESSAGE"]) for line in app.check_output(entries).splitlines()]
    assert [message for message in messages if "ip=192.0.2.9" in message and "user=x" not in message] == []
