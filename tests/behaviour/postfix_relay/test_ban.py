"""An address that guesses passwords is kept out of all mail ports for a while (IPv4 and IPv6); a trusted one is not."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.jail import (
    Forgive,
    assert_named,
    forgiving,
    jails,
    status,
)
from testinfra.host import Host

JAIL = "ilnmors-mail"
PORTS = (25, 465, 587, 143, 993, 110, 995, 4190)
GUESSED = (587, 465, 993, 143, 995, 110, 4190)
GUESSER = (Path(__file__).parents[1] / "support" / "guesser.py").read_text()

Inventory = dict[str, dict[str, Any]]


def run(host: Host, house: House, action: str, ports: tuple[int, ...]) -> str:
    """Have a machine guess, or connect."""
    numbers = " ".join(map(str, ports))
    return str(host.check_output(f"python3 -c %s %s {action} {numbers}", GUESSER, house.mail_address))


@pytest.fixture
def ban_after(mail: Host, inventory: dict[str, dict[str, Any]]) -> int:
    if not next(iter(inventory.values()))["bans"]["mail"]:
        pytest.skip("needs a house that bans addresses which guess passwords (postfix_relay_ban)")
    return int(mail.check_output(f"fail2ban-client get {JAIL} maxretry"))


@pytest.fixture
def forgive(mail: Host) -> Iterator[Forgive]:
    """Return what takes an address that is to be free of bans now, and at the end."""
    with forgiving(mail, JAIL) as unban:
        yield unban


def test_a_stranger_who_guesses_is_banned_and_a_trusted_machine_is_not(
    house: House,
    mail: Host,
    app: Host,
    provider: Host,
    inventory: Inventory,
    ban_after: int,
    forgive: Forgive,
) -> None:
    stranger = inventory[provider.backend.get_hostname()]["address"]
    trusted = inventory[app.backend.get_hostname()]["address"]
    forgive(stranger)
    guesses = (GUESSED * ban_after)[: ban_after - 1]
    before = int(status(mail, JAIL, "Total failed"))
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda host: run(host, house, "guess", guesses), (app, provider)))
    # One failure each, whatever the protocol: not one fewer, nor one more.
    wait_for(
        lambda: int(status(mail, JAIL, "Total failed")) - before >= len(guesses), "the failures are counted"
    )
    assert int(status(mail, JAIL, "Total failed")) - before == len(guesses)
    assert run(provider, house, "connect", PORTS).split() == list(map(str, PORTS))

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda host: run(host, house, "guess", (993,)), (app, provider)))
    wait_for(lambda: stranger in status(mail, JAIL, "Banned IP list").split(), "the stranger is banned")
    assert run(provider, house, "connect", PORTS) == ""
    assert run(app, house, "connect", PORTS).split() == list(map(str, PORTS))
    assert trusted not in status(mail, JAIL, "Banned IP list").split()


@pytest.mark.parametrize("address", ["192.0.2.77", "2001:db8::77"])
def test_addresses_of_both_families_are_kept_out(
    mail: Host, ban_after: int, forgive: Forgive, address: str
) -> None:
    """192.0.2.0/24 and 2001:db8::/32 are nobody's (RFC 5737, RFC 3849)."""
    forgive(address)
    assert ban_after > 0
    mail.check_output(f"fail2ban-client set {JAIL} banip {address}")
    wait_for(lambda: address in mail.run("nft list table inet f2b-table").stdout, f"{address} is kept out")


@pytest.mark.usefixtures("ban_after", "provider")
def test_no_other_jail_is_turned_on(mail: Host) -> None:
    """A house of its own may have others; fail2ban came to the lab's mail host with the role."""
    assert [jail for jail in jails(mail) if not jail.startswith("ilnmors-")] == []


@pytest.mark.usefixtures("webmail_bans", "provider")
def test_a_fail2ban_that_was_there_keeps_its_jails(app: Host) -> None:
    """The lab's webmail host had one before the role came, with Debian's jail."""
    assert "sshd" in jails(app)


@pytest.mark.usefixtures("ban_after")
def test_the_webmail_is_not_banned_for_its_users(house: House, mail: Host) -> None:
    ignored = mail.check_output(f"fail2ban-client get {JAIL} ignoreip")
    assert house.webmail_hostname in ignored


LINES = {
    "auth-worker(il,192.0.2.1)<12><a+/b>: request [1]: lua: Password mismatch": "192.0.2.1",
    "auth(anna,2001:db8::2,sasl:plain)<a+/b>: ldap: Password mismatch (for LDAP bind)": "2001:db8::2",
    "auth: ldap(anna,192.0.2.3,<a+/b>): unknown user": "192.0.2.3",
    "auth(il,192.0.2.4)<a+/b>: lua: Password mismatch(il,10.9.8.7): lua: Password mismatch": "192.0.2.4",
    "imap-login: Login aborted: user=<auth(il,10.9.8.7): lua: Password mismatch>, rip=192.0.2.5": "",
    "auth(?,192.0.2.6): Invalid username: auth(il,10.9.8.7): lua: Password mismatch": "",
}
"""Who is named by lines of Dovecot, also by some that would be if clients could write more into them than they can."""


@pytest.mark.usefixtures("ban_after")
def test_a_line_names_who_failed(mail: Host) -> None:
    assert_named(mail, JAIL, "dovecot", LINES)
